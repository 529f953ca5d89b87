import * as v from 'valibot'
import type { Device } from '../device.js'
import { badArgument, ofFile } from '../errors.js'
import { LanguageModel } from '../models/languageModel.js'
import { type TokenCodec, type TokenCodecJson, tokenCodec } from '../text/codecs.js'
import { MarkedVocabulary } from '../text/markedVocabulary.js'
import { loadTrained, type RunKind, saveTrained } from '../training/runFiles.js'
import { codecSchema } from './codecSchema.js'
import { joinedIds } from './streams.js'

/** The task's name, in a run's files. */
export const LANGUAGE_MODEL = 'language-model'

/** A trained language model with what turns a text into ids and ids into a text. The end mark ends a line. */
export interface LanguageRun {
  model: LanguageModel
  codec: TokenCodec
  vocabulary: MarkedVocabulary
  /** Whether texts are made lower case first. */
  lowercase: boolean
}

const size = v.pipe(v.number(), v.integer(), v.minValue(1))
const schema = v.object({
  layers: v.looseObject({ embeddingDim: size, hiddenSize: size }),
  lowercase: v.boolean(),
  codec: codecSchema,
  words: v.array(v.string()),
})
type Config = v.InferOutput<typeof schema>

const kind: RunKind<LanguageRun, Config> = {
  task: LANGUAGE_MODEL,
  schema,
  save({ model, codec, vocabulary, lowercase }) {
    const [wanted] = model.embedding.weight.shape
    if (vocabulary.size !== wanted) {
      const message = `${wanted} ids, as the model`
      throw badArgument('saveLanguageModel', 'run.vocabulary', message, vocabulary.size, 'ERR_SHAPE')
    }
    const { initial: _, ...layers } = model.layers
    const json: TokenCodecJson = codec.toJSON()
    return { config: { layers, lowercase, codec: json, words: [...vocabulary.words] }, model }
  },
  load({ layers, lowercase, codec, words }, { configFile, modelFile, state }, options) {
    const run = ofFile(configFile, (): LanguageRun => {
      const vocabulary = MarkedVocabulary.fromWords(words)
      const model = new LanguageModel({ ...layers, ...options, vocabularySize: vocabulary.size })
      return { model, codec: tokenCodec(codec), vocabulary, lowercase }
    })
    ofFile(modelFile, () => run.model.loadStateDict(state))
    run.model.eval()
    return run
  },
}

/**
 * Writes a trained language model into a directory: model.safetensors and config.json, which has all that it needs to read a text.
 *
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT if it cannot be written; ERR_SHAPE for a vocabulary of another size than
 * the model's; ERR_DISPOSED.
 *
 * @example
 * ```ts
 * import { LanguageModel } from 'packed-rnn/models'
 * import { saveLanguageModel } from 'packed-rnn/tasks'
 * import { MarkedVocabulary, tokenCodec } from 'packed-rnn/text'
 *
 * const vocabulary = MarkedVocabulary.fromWords(['ein', 'Hund'])
 * const model = new LanguageModel({ vocabularySize: vocabulary.size, embeddingDim: 4, hiddenSize: 8 })
 * const run = { model, vocabulary, codec: tokenCodec('whitespace'), lowercase: false }
 * console.log(await saveLanguageModel(run, 'saved-language-model')) // undefined
 * ```
 */
export function saveLanguageModel(run: LanguageRun, directory: string): Promise<void> {
  return saveTrained(kind, run, directory)
}

/**
 * Reads what `saveLanguageModel` wrote; the model is in evaluation mode.
 *
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT naming the file and what is wrong with it, ERR_INVALID_ARGUMENT if one cannot
 * be read.
 *
 * @example
 * ```ts
 * import { LanguageModel } from 'packed-rnn/models'
 * import { loadLanguageModel, saveLanguageModel } from 'packed-rnn/tasks'
 * import { MarkedVocabulary, tokenCodec } from 'packed-rnn/text'
 *
 * const vocabulary = MarkedVocabulary.fromWords(['ein', 'Hund'])
 * const model = new LanguageModel({ vocabularySize: vocabulary.size, embeddingDim: 4, hiddenSize: 8 })
 * await saveLanguageModel({ model, vocabulary, codec: tokenCodec('whitespace'), lowercase: false }, 'loaded-language-model')
 * console.log((await loadLanguageModel('loaded-language-model')).vocabulary.words) // ['ein', 'Hund']
 * ```
 */
export function loadLanguageModel(
  directory: string,
  options: { device?: Device } = {},
): Promise<LanguageRun> {
  return loadTrained(kind, directory, options)
}

/** The ids of lines, each with the end mark behind it. */
export function lineIds(
  { codec, vocabulary, lowercase }: Omit<LanguageRun, 'model'>,
  lines: readonly string[],
): Int32Array {
  const parts = lines.map(line =>
    vocabulary.encode(codec.encode(lowercase ? line.toLowerCase() : line), { end: true }),
  )
  return joinedIds(parts)
}

/**
 * Returns the ids that mean an unknown word: the mark's, and that of the word `<unk>` in a text that marks unknown
 * words itself. @internal
 */
export function unknownIds(vocabulary: LanguageRun['vocabulary']): number[] {
  const { unk } = vocabulary
  const word = vocabulary.word(unk)
  return vocabulary.has(word) ? [unk, ...vocabulary.encode([word])] : [unk]
}
