import { describe, expect, test } from 'vitest'
import { noGrad } from '../../src/autograd.js'
import type { Device } from '../../src/device.js'
import type { DecoderState } from '../../src/models/decoderCell.js'
import { Seq2Seq, type Seq2SeqLayers } from '../../src/models/seq2seq.js'
import { indexSelect } from '../../src/ops/indexing.js'
import { crossEntropy } from '../../src/ops/loss.js'
import { PackedIds } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { memory, type Tensor, tensor } from '../../src/tensor.js'
import { expectAllClose, expectClose, expectReproducible, expectSameBits, type Numbers } from './compare.js'
import type { Target } from './target.js'

/** Sentences of 0 to 5 words; the targets begin with the mark 1. */
const SOURCE = [[3, 4, 5, 6], [7], [3, 3, 8], [5, 4, 3, 8, 6]]
const TARGET = [[1, 4, 3], [1, 6, 6, 5, 2, 3], [1], [1, 5, 4, 3]]
const LABELS = Int32Array.of(4, 3, 2, 6, 6, 5, 2, 3, 2, 2, 5, 4, 3, 2)
const SIZES = { sourceVocabularySize: 9, targetVocabularySize: 7, embeddingDim: 5, hiddenSize: 6 }

const variants: [string, Partial<Seq2SeqLayers>][] = [
  ['plain, LSTM of two layers', { decoder: 'plain', cell: 'lstm', numLayers: 2 }],
  ['context', { decoder: 'context' }],
  ['bahdanau, both directions', { decoder: 'bahdanau', bidirectional: true }],
  ['bahdanau, LSTM of two layers in both directions', { cell: 'lstm', numLayers: 2, bidirectional: true }],
  ['bahdanau, the state alone to the output layer', { deepOutput: false }],
  ['luong', { decoder: 'luong', cell: 'lstm', bidirectional: true }],
  ['luong, dot', { decoder: 'luong', score: 'dot' }],
  ['luong without input feeding', { decoder: 'luong', inputFeeding: false, numLayers: 2 }],
  ['tutorial', { decoder: 'tutorial', maxLength: 5 }],
  ['tied word vectors', { tied: true }],
]

export function translationSuite(target: Target): void {
  describe(`Seq2Seq on ${target.name}`, () => {
    describe.each(variants)('%s', (_, layers) => {
      gradients(target, layers)
      neighbours(target, layers)
      oneStepAtATime(target, layers)
      test('the same bits twice and with any number of threads', () =>
        expectReproducible(target, async device => {
          using model = made(device, { ...layers, dropout: 0.3 })
          return await trained(model, 0.5)
        }))
    })
    ownWords(target)
  })
}

function made(device: Device, layers: Partial<Seq2SeqLayers>): Seq2Seq {
  return new Seq2Seq({ ...SIZES, ...layers, device, generator: new Generator(4) })
}

/** The loss and all gradients. */
function trained(model: Seq2Seq, teacherForcing: number, target = TARGET): Promise<Numbers> {
  return scope(async () => {
    const loss = lossOf(model, teacherForcing, target)
    loss.backward()
    const numbers: Numbers = { loss: await loss.toArray() }
    for (const [name, { grad }] of model.namedParameters()) {
      expect(grad, `gradient of ${name}`).not.toBeNull()
      numbers[name] = await grad!.toArray()
    }
    model.zeroGrad()
    return numbers
  })
}

function lossOf(model: Seq2Seq, teacherForcing = 1, target = TARGET): Tensor<'float32', 0> {
  const logits = model.forward(new PackedIds(SOURCE), new PackedIds(target), { teacherForcing }).data
  return crossEntropy(logits, tensor(LABELS, [LABELS.length], { device: logits.device }))
}

/** Central differences of four numbers of each parameter, in steps that float32 holds exactly. */
function gradients(target: Target, layers: Partial<Seq2SeqLayers>): void {
  test.runIf(target.precision === 'float32')('gradients agree with finite differences', async () => {
    using model = made(target.open(), layers)
    const found = await trained(model, 1)
    const h = 2 ** -5
    const generator = new Generator(9)
    for (const [name, parameter] of model.namedParameters()) {
      const values = await parameter.toArray()
      const largest = Math.max(...found[name]!.map(Math.abs))
      const at = (i: number, by: number) => {
        parameter.assign(values.with(i, values[i]! + by))
        return scope(() => noGrad(() => lossOf(model)).item())
      }
      for (let k = 0; k < 4; k++) {
        const i = generator.below(values.length)
        const [a, b, c, d] = [await at(i, -2 * h), await at(i, -h), await at(i, h), await at(i, 2 * h)]
        const slope = (a - 8 * b + 8 * c - d) / (12 * h)
        // Losses near 2 are off by some 2⁻²³: 11.4 such errors over 12 h are 4e-6.
        expect(Math.abs(slope - found[name]![i]!), `${name}[${i}]`).toBeLessThan(1e-5 + 1e-3 * largest)
      }
      parameter.assign(values)
    }
  })
}

function neighbours(target: Target, layers: Partial<Seq2SeqLayers>): void {
  test('a sentence has the same logits whatever the others are', async () => {
    using model = made(target.open(), layers)
    const rows = (source: number[][], targets: number[][]) =>
      scope(() =>
        noGrad(() =>
          model.forward(new PackedIds(source), new PackedIds(targets), { teacherForcing: 1 }),
        ).data.toArray(),
      )
    const all = await rows(SOURCE, TARGET)
    const others = await rows(
      [SOURCE[0]!, [8, 8], [4, 4, 4], SOURCE[3]!],
      [TARGET[0]!, [1, 2, 2, 2, 2, 2], [1], TARGET[3]!],
    )
    const V = SIZES.targetVocabularySize
    expectSameBits(others.slice(0, 3 * V), all.slice(0, 3 * V), 'first sentence')
    expectSameBits(others.slice(10 * V), all.slice(10 * V), 'last sentence')
  })
}

function oneStepAtATime(target: Target, layers: Partial<Seq2SeqLayers>): void {
  test('decoding steps have the logits of a forward pass; an ended sentence has no row', async () => {
    using model = made(target.open(), layers).eval()
    const V = SIZES.targetVocabularySize
    const found = await scope(() =>
      noGrad(() => {
        const { state, step } = model.decoding(new PackedIds(SOURCE), { weights: true })
        const rows: Promise<Float32Array>[] = []
        let [at, going] = [state, TARGET.map((_, b) => b)]
        for (let t = 0; t < 6; t++) {
          const next = going.filter(b => TARGET[b]!.length > t)
          at = kept(
            at,
            next.map(b => going.indexOf(b)),
          )
          going = next
          const made = step(new PackedIds(TARGET.map(words => words.slice(t, t + 1))), at)
          at = made.state
          rows.push(made.logits.toArray())
        }
        return Promise.all(rows)
      }),
    )
    const wanted = await scope(() =>
      noGrad(() => model.forward(new PackedIds(SOURCE), new PackedIds(TARGET))).data.toArray(),
    )
    let row = 0
    for (const words of TARGET) {
      for (const t of words.keys()) {
        const place = TARGET.filter(each => each.length > t).indexOf(words)
        const logits = found[t]!.slice(place * V, (place + 1) * V)
        expectClose(
          logits,
          wanted.slice(row * V, (row + 1) * V),
          1e-5 + (target.precision === 'float32' ? 0 : 0.05),
        )
        row++
      }
    }
  })
}

/** Rows of a decoder's state. */
function kept(state: DecoderState, rows: number[]): DecoderState {
  const { h, c, fed } = state
  return {
    h: indexSelect(h, 0, rows),
    c: c && indexSelect(c, 0, rows),
    fed: fed && indexSelect(fed, 0, rows),
  }
}

function ownWords(target: Target): void {
  test.each<[string, Partial<Seq2SeqLayers>]>([
    ['bahdanau', { bidirectional: true }],
    ['luong', { decoder: 'luong' }],
    ['tied word vectors', { tied: true }],
  ])(
    'without teacher forcing each step reads the word that was most likely before: %s',
    async (_, layers) => {
      using model = made(target.open(), layers)
      const V = SIZES.targetVocabularySize
      const logits = (targets: number[][], teacherForcing: number) =>
        scope(() =>
          noGrad(() =>
            model.forward(new PackedIds(SOURCE), new PackedIds(targets), { teacherForcing }),
          ).data.toArray(),
        )
      const free = await logits(TARGET, 0)
      // The same words, found step by step with teacher forcing.
      const words = TARGET.map(() => [1])
      for (let t = 1; t < 6; t++) {
        const rows = await logits(words, 1)
        let row = 0
        for (const [b, given] of words.entries()) {
          row += given.length
          if (TARGET[b]!.length > given.length) given.push(argmax(rows.slice((row - 1) * V, row * V)))
        }
      }
      expectSameBits(await logits(words, 1), free)
      // Their logits are computed apart, and so is the gradient.
      const tolerance = target.precision === 'float32' ? 1e-5 : 0.05
      expectAllClose(await trained(model, 0), await trained(model, 1, words), tolerance, () => 0.01)
    },
  )

  test('weights of the attention: rows of a probability each, nothing for other sentences', async () => {
    using model = made(target.open(), { bidirectional: true }).eval()
    const found = await model.alignment(new PackedIds(SOURCE), new PackedIds(TARGET))
    expect(found!.map(({ length }) => length)).toEqual(
      TARGET.map((words, b) => words.length * SOURCE[b]!.length),
    )
    for (const [b, weights] of found!.entries()) {
      const n = SOURCE[b]!.length
      for (let at = 0; at < weights.length; at += n) {
        const total = weights.slice(at, at + n).reduce((sum, weight) => sum + weight, 0)
        expect(Math.abs(total - 1)).toBeLessThan(1e-5)
      }
    }
    using plain = made(target.open(), { decoder: 'plain' })
    expect(await plain.alignment(new PackedIds(SOURCE), new PackedIds(TARGET))).toBeNull()
  })

  test('the weights of the attention are those of evaluation mode, and their tensors are freed', async () => {
    using model = made(target.open(), { bidirectional: true, dropout: 0.5 })
    const weights = () => model.alignment(new PackedIds(SOURCE), new PackedIds(TARGET))
    const before = memory().tensors
    const inTraining = await weights()
    expect([memory().tensors, model.training]).toEqual([before, true])
    model.eval()
    expect(inTraining).toEqual(await weights())
  })

  test.each<[Partial<Seq2SeqLayers>, RegExp]>([
    [{ decoder: 'plain', score: 'dot' }, /score.*none for the decoder plain.*dot/],
    [{ decoder: 'luong', deepOutput: true }, /deepOutput.*none for the decoder luong/],
    [{ decoder: 'bahdanau', inputFeeding: false }, /inputFeeding.*none for the decoder bahdanau/],
    [{ maxLength: 9 }, /maxLength.*none without the score 'location'/],
    [{ initial: { kind: 'normal', std: Number.NaN } }, /initial\.std/],
  ])('%j is an error', (layers, message) => {
    expect(() => made(target.open(), layers)).toThrow(message)
  })
}

function argmax(row: Float32Array): number {
  return row.indexOf(Math.max(...row))
}
