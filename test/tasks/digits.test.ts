import { expect, test } from 'vitest'
import { exactMatch } from './digits.js'

test('an encoder and a decoder with attention learn to reverse up to 5 digits, exactly', async () => {
  const layers = { embeddingDim: 16, hiddenSize: 48, bidirectional: true }
  const share = await exactMatch({
    kind: 'reversal',
    longest: 5,
    layers,
    steps: 500,
    batchSize: 32,
    lr: 4e-3,
  })
  expect(share).toBe(1)
})

// Minutes each: `npm run test:learning`.
test.runIf(process.env.PACKED_RNN_LEARNING === 'long')(
  'up to 30 digits are reversed, and copied, exactly',
  async () => {
    const layers = { embeddingDim: 32, hiddenSize: 128, bidirectional: true }
    for (const kind of ['reversal', 'copy'] as const) {
      const options = { kind, longest: 30, layers, steps: 8000, batchSize: 64, lr: 2e-3 }
      expect(await exactMatch(options), kind).toBe(1)
    }
  },
  3_600_000,
)
