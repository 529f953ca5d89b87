import { Seq2Seq, type Seq2SeqLayers } from '../../src/models/seq2seq.js'
import { Adam, OneCycle } from '../../src/optim/index.js'
import { Generator } from '../../src/random.js'
import { pairBatch, pairLoader, type SentencePair } from '../../src/tasks/pairs.js'
import { Translation, translate } from '../../src/tasks/translation.js'
import { Trainer } from '../../src/training/index.js'

/** Sequences of digits: what a sequence-to-sequence model must learn exactly. */

/** Ids: 0 unknown, 1 begin, 2 end, then the digits. */
const [BEGIN, END, FIRST, WORDS] = [1, 2, 3, 13]

/** Sequences of 1 to `longest` digits, each with its reversal or its copy. */
export function digitPairs(
  count: number,
  longest: number,
  kind: 'reversal' | 'copy',
  generator: Generator,
): SentencePair[] {
  return Array.from({ length: count }, () => {
    const source = Int32Array.from(
      { length: 1 + generator.below(longest) },
      () => FIRST + generator.below(10),
    )
    const target = kind === 'reversal' ? source.toReversed() : source
    return { source, target: Int32Array.of(BEGIN, ...target, END) }
  })
}

/** Trains on fresh sequences. @returns the share of new sequences whose translation is exact. */
export async function exactMatch(options: {
  kind: 'reversal' | 'copy'
  longest: number
  layers: Seq2SeqLayers
  steps: number
  batchSize: number
  lr: number
}): Promise<number> {
  const { kind, longest, layers, steps, batchSize, lr } = options
  const generator = new Generator(11)
  using model = new Seq2Seq({
    ...layers,
    sourceVocabularySize: WORDS,
    targetVocabularySize: WORDS,
    generator: new Generator(5),
  })
  const pairs = digitPairs(steps * batchSize, longest, kind, generator)
  const task = new Translation(model, { begin: BEGIN, end: END })
  using optimizer = new Adam(model.parameters(), { lr })
  // With a constant rate, the last percent comes and goes.
  const scheduler = new OneCycle(optimizer, { steps })
  const clip = { parameters: model.parameters(), maxNorm: 1 }
  const trainer = new Trainer({ model, task, optimizer, scheduler, clip })
  for await (const _ of trainer.fit(pairLoader(pairs, { batchSize }), { epochs: 1 }));
  model.eval()
  const test = pairBatch(digitPairs(200, longest, kind, new Generator(12)))
  const found = await translate(model, test.source, { begin: BEGIN, end: END })
  const { offsets } = test.target.sequences
  const right = found.filter(([best], b) => {
    const wanted = test.target.ids.subarray(offsets[b]! + 1, offsets[b + 1]! - 1)
    return String(best!.ids) === String([...wanted])
  })
  return right.length / found.length
}
