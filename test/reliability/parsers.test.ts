import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compiledPackage } from '../worker/compiled.js'
import { many } from './length.js'
import { watch } from './watched.js'

/**
 * Files that were damaged on purpose: each is read, or rejected with an error that names the file. PACKED_RNN_FUZZ_SEED
 * damages them otherwise; a finding names seed, parser and input, which `process.js` of test/reliability/parsers reads again.
 */

const FIRST_SEED = Number(process.env.PACKED_RNN_FUZZ_SEED ?? 1)
const INPUTS = many(20_000, 250_000)

let folder: string
beforeAll(() => {
  folder = compiledPackage({
    src: 'src',
    'test/reliability': 'test/reliability',
    'test/reference': 'test/reference',
  })
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Summary {
  tally: Record<string, { read: number; refused: number }>
  slowest: { name: string; index: number; milliseconds: number }
  grownKiB: number
}

test.each(Array.from({ length: many(1, 4) }, (_, i) => FIRST_SEED + i))('seed %i', async seed => {
  const { trouble, last } = await watch(join(folder, 'test/reliability/parsers/process.js'), [seed, INPUTS])
  expect(trouble).toBe('')
  const { tally, slowest, grownKiB }: Summary = JSON.parse(last)
  console.log(
    `seed ${seed}: ${INPUTS} files, ${Math.round(grownKiB / 1024)} MB more, slowest ${JSON.stringify(slowest)}`,
  )
  for (const [name, { refused }] of Object.entries(tally)) expect(refused, name).toBeGreaterThan(0)
  // The files have a kilobyte. What V8 keeps for itself is some tens of megabytes.
  expect(grownKiB / 1024).toBeLessThan(300)
})
