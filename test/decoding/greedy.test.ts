import { describe, expect, test } from 'vitest'
import { type Decoded, type DecodedTokens, greedy, greedyStream } from '../../src/decoding/index.js'
import { scope } from '../../src/scope.js'
import { memory } from '../../src/tensor.js'
import { ownDevice } from '../device/own.js'
import { constant, gruModel, type Probabilities, tableModel, targets } from './models.js'

/** Sums of some log-probabilities of float32 logits around 5. */
const CLOSE = 1e-5

function walked(model: Probabilities, b: number, end: number | null, maxLength: number): Decoded {
  const text: Decoded = { tokens: [], logProbability: 0, ended: false }
  for (let t = 0; t < maxLength; t++) {
    const values = model.after(b, text.tokens)
    const token = values.indexOf(Math.max(...values))
    text.logProbability += values[token]!
    if (token === end) return { ...text, ended: true }
    text.tokens.push(token)
  }
  return text
}

describe.each(targets)('greedy decoding on $name', target => {
  const on = target.open()

  test('takes the most probable token at each step, of many sentences', async () => {
    const maxLength = [6, 0, 9, 1, 8, 8]
    const all = maxLength.map((_, b) => b)
    for (const seed of [2, 3, 4]) {
      const [table, gru] = [tableModel(on, 7, seed), gruModel(on, 7, seed)]
      const options = { sentences: all.length, begin: 0, end: 3, maxLength }
      const found = [
        await greedy(table.step, { ...options, state: table.start(all) }),
        await greedy(gru.step, { ...options, state: gru.start(all) }),
      ]
      const wanted = [table, gru].map(model => all.map(b => walked(model, b, 3, maxLength[b]!)))
      for (const [m, texts] of found.entries()) {
        for (const [b, text] of texts.entries()) {
          const { logProbability, ...rest } = wanted[m]![b]!
          expect(text).toMatchObject(rest)
          expect(Math.abs(text.logProbability - logProbability)).toBeLessThan(CLOSE)
        }
      }
    }
  })

  test('of equal tokens takes the first', async () => {
    const options = { state: null, sentences: 2, begin: [4, 5], end: null, maxLength: [2, 1] }
    const found = await greedy(constant(on, [0, 1, 0, 1]), options)
    expect(found.map(({ tokens }) => tokens)).toEqual([[1, 1], [1]])
  })

  test('asks for the last token of each living sentence alone', async () => {
    const model = tableModel(on, 7, 2)
    const asked: number[][][] = []
    const step: typeof model.step = (last, state) => {
      const { offsets } = last.sequences
      asked.push(offsets.slice(1).map((to, b) => [...last.ids.subarray(offsets[b], to)]))
      return model.step(last, state)
    }
    const maxLength = [2, 0, 4]
    const options = { state: model.start([0, 1, 2]), sentences: 3, begin: [5, 5, 6], end: null, maxLength }
    const [first, , last] = await greedy(step, options)
    expect(asked).toEqual([
      [[5], [], [6]],
      [[first!.tokens[0]], [], [last!.tokens[0]]],
      [[], [], [last!.tokens[1]]],
      [[], [], [last!.tokens[2]]],
    ])
    expect(last!.tokens).toHaveLength(4)
  })

  test('streams the same tokens, each as soon as it is known', async () => {
    const model = gruModel(on, 7, 3)
    const options = { state: model.start([0, 1, 2]), sentences: 3, begin: 0, end: 3, maxLength: [3, 7, 9] }
    const whole = await greedy(model.step, options)
    const streamed: Decoded[] = whole.map(({ ended }) => ({ tokens: [], logProbability: 0, ended }))
    for await (const { sentences, tokens } of greedyStream(model.step, options)) {
      expect(tokens).not.toContain(3)
      for (const [row, b] of sentences.entries()) streamed[b]!.tokens.push(tokens[row]!)
    }
    expect(streamed.map(({ tokens }) => tokens)).toEqual(whole.map(({ tokens }) => tokens))
  })

  test('has issued the next step when it yields a token', async () => {
    let issued = 0
    const model = constant(on, [0, 1])
    const stream = greedyStream(
      (last, state) => {
        issued++
        return model(last, state)
      },
      { state: null, sentences: 1, begin: 0, end: null, maxLength: 3 },
    )
    const counts: number[] = []
    for await (const _ of stream) counts.push(issued)
    expect(counts).toEqual([2, 3, 3])
  })
})

describe('a stream that is not read to its end', () => {
  const on = ownDevice()
  const model = gruModel(on, 5)
  const state = model.start([0])
  const options = { state, sentences: 1, begin: 0, end: null, maxLength: 9 }
  const allocated = async () => {
    await on.synchronize()
    return [memory().tensors, on.memory().held]
  }

  test('frees its state', async () => {
    // The first one leaves the layer's workspaces.
    await greedy(model.step, options)
    const before = await allocated()
    for await (const _ of greedyStream(model.step, options)) break
    expect(await allocated()).toEqual(before)
    expect(state.h.disposed).toBe(false)
  })

  test('keeps its state while each step is read in a scope that ends', async () => {
    const whole = await greedy(model.step, options)
    const stream = greedyStream(model.step, options)
    const tokens: number[] = []
    for (let t = 0; t < 4; t++) {
      const { value } = await scope(() => stream.next())
      tokens.push(...(value?.tokens ?? []))
    }
    await stream.return()
    expect(tokens).toEqual(whole[0]!.tokens.slice(0, 4))
  })

  test('yields what it read before the step that failed', async () => {
    const before = await allocated()
    let steps = 0
    const stream = greedyStream((last, before) => {
      if (++steps === 3) throw new Error('no more')
      return model.step(last, before)
    }, options)
    const read: DecodedTokens[] = []
    const all = (async () => {
      for await (const found of stream) read.push(found)
    })()
    await expect(all).rejects.toThrow('no more')
    expect(read).toHaveLength(2)
    expect(await allocated()).toEqual(before)
  })

  test('ends before the next step when its signal aborts, after what was read', async () => {
    const stop = new AbortController()
    const read: DecodedTokens[] = []
    const all = (async () => {
      for await (const found of greedyStream(model.step, { ...options, signal: stop.signal })) {
        read.push(found)
        if (read.length === 3) stop.abort(new Error('enough'))
      }
    })()
    await expect(all).rejects.toThrow('enough')
    expect(read).toHaveLength(3)
  })
})

test('a text that ended is not aborted', async () => {
  const stop = new AbortController()
  const step = constant(targets[0]!.open(), [0, 1])
  const found = await greedy(
    (last, state) => {
      stop.abort()
      return step(last, state)
    },
    { state: null, sentences: 1, begin: 0, end: 1, maxLength: 9, signal: stop.signal },
  )
  expect(found).toMatchObject([{ tokens: [], ended: true }])
})
