import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as packedRnn from '../../src/compat.js'
import { whyNoCuda } from '../cuda.js'
import { compiledPackage } from '../worker/compiled.js'
import { many } from './length.js'
import { watch } from './watched.js'

/**
 * The public functions with unusual arguments, in any order of calls: no crash, no hang, no result that differs from the
 * reference's, and only errors of this package. PACKED_RNN_FUZZ_SEED draws others; a finding names its seed,
 * and the sequence of calls, which `process.js` of test/reliability/api runs again.
 */

const FIRST_SEED = Number(process.env.PACKED_RNN_FUZZ_SEED ?? 1)
/** Of 30 calls in the mean; each of these makes some more to check its result. */
const SEQUENCES = many(160, 250)

let folder: string
beforeAll(() => {
  folder = compiledPackage({
    src: 'src',
    'test/reliability': 'test/reliability',
    'test/reference': 'test/reference',
    'test/suite': 'test/suite',
    'test/reports': 'test/reports',
    'src/explain/browser': 'dist/explain/browser',
  })
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Summary {
  tally: Record<string, { answered: number; refused: number }>
  held: number[]
}

const total: Summary['tally'] = {}

const kinds = whyNoCuda() === null ? ['cpu', 'cuda'] : ['cpu']
const seeds = Array.from({ length: many(2, 16) }, (_, i) => FIRST_SEED + i)
test.each(kinds.flatMap(kind => seeds.map(seed => [kind, seed] as const)))(
  '%s, seed %i',
  async (kind, seed) => {
    const file = join(folder, 'test/reliability/api/process.js')
    const { trouble, last } = await watch(file, [seed, SEQUENCES], { PACKED_RNN_FUZZ_DEVICE: kind })
    expect(trouble).toBe('')
    const { tally, held }: Summary = JSON.parse(last)
    // CUDA keeps the workspaces of the 16 layers that were stepped last; else nothing is held on any of the three.
    const most = kind === 'cuda' ? 2 ** 17 : 0
    expect(
      held.map(bytes => bytes <= most),
      `bytes held at the end: ${held}`,
    ).toEqual([true, true, true])
    for (const [name, { answered, refused }] of Object.entries(tally)) {
      const sum = total[name] ?? { answered: 0, refused: 0 }
      total[name] = { answered: sum.answered + answered, refused: sum.refused + refused }
    }
  },
)

/** Names that are not called here, and where they are tested. */
const ELSEWHERE = [
  ...['PackedRnnError', 'text.UNK', 'text.fastaiSpecials'], // every error; a number; a list
  ...['readHdf5', 'readTorchFile'], // needs another package; by readTorch, and in pretrained.test.ts
  ...['Tensor', 'PackedSequence', 'gruBackward'], // by their members
  ...['nn.Module', 'nn.LstmOutput', 'nn.MaskCounter'], // by the modules that there are
]

/** All public names; of a namespace those of its members: `nn.LSTM`. */
const names = Object.entries(packedRnn).flatMap(([name, value]) =>
  typeof value === 'function' ? [name] : Object.keys(value).map(member => `${name}.${member}`),
)

test('every public function returned, most of them often', () => {
  const driven = Object.entries(total).flatMap(([name, { answered }]) => (answered > 0 ? [name] : []))
  const covers = (name: string) => driven.some(each => each === name || each.startsWith(`${name}.`))
  expect(names.filter(name => !ELSEWHERE.includes(name) && !covers(name))).toEqual([])
  const calls = Object.values(total).reduce((sum, { answered, refused }) => sum + answered + refused, 0)
  const refused = Object.values(total).reduce((sum, each) => sum + each.refused, 0)
  console.log(`${calls} calls, ${refused} of them refused`)
  expect(calls).toBeGreaterThan(many(4000, 100_000))
  expect(refused / calls).toBeLessThan(0.5)
})
