import { createHash } from 'node:crypto'
import { type Device, device } from '../../src/device.js'
import { Classifier } from '../../src/models/classifier.js'
import type { Pooling } from '../../src/models/pooling.js'
import { type PresetName, presets } from '../../src/models/presets.js'
import { Generator } from '../../src/random.js'
import type { LabelledDocuments } from '../../src/text/batches.js'
import { inventArticles } from '../../src/text/invented.js'
import { LabelEncoder } from '../../src/text/labels.js'
import { tokenizers } from '../../src/text/tokenize.js'
import { Vocabulary } from '../../src/text/vocabulary.js'
import type { TrainerState } from '../../src/training/trainerState.js'

const articles = inventArticles(64, 5)
const words = articles.map(({ text }) => tokenizers.whitespace(text).slice(0, 40))
export const vocabulary = Vocabulary.fromDocuments(words)
export const labels = LabelEncoder.fit(articles.map(({ category }) => category))

/** The first 40 words of 64 invented articles. */
export const data: LabelledDocuments = {
  documents: words.map(document => vocabulary.encode(document)),
  labels: labels.transform(articles.map(({ category }) => category)),
}

/** A preset's classifier for them, with vectors of 20 numbers, the same each time. */
export function shortClassifier(
  preset: PresetName,
  options: { on?: Device; threads?: number; pooling?: Pooling } = {},
): Classifier {
  const { threads = 2, on = device('cpu', { threads }), ...rest } = options
  return new Classifier({
    ...rest,
    preset: presets[preset],
    device: on,
    generator: new Generator(3),
    vocabularySize: vocabulary.size,
    classes: labels.classes.length,
    embeddingDim: 20,
  })
}

/** A hash of the parameters and of the optimiser's state: `toEqual` takes seconds for so many numbers. */
export function bitsOf({ model, optimizer }: Pick<TrainerState, 'model' | 'optimizer'>): string {
  const hash = createHash('sha256')
  for (const [name, { data }] of [...model, ...optimizer.tensors]) hash.update(name).update(data)
  return hash.digest('hex')
}
