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
