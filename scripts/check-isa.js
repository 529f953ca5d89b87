// Checks the objects that are compiled for an instruction set: the symbols that they define and that the linker may merge
// must be in that set's namespace. Otherwise the linker could use a weak function of the standard library from an AVX-512
// object everywhere, and it would crash on a CPU without AVX-512.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const build = join(import.meta.dirname, '..', 'build', 'CMakeFiles')
const sets = ['portable', 'avx2', 'avx512', 'avx512bf16', 'amx']
let objects = 0
const found = []
for (const set of sets) {
  const folder = join(build, `cpu_${set}.dir`)
  if (!existsSync(folder)) continue
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!name.endsWith('.o')) continue
    objects++
    const symbols = execFileSync('nm', ['--demangle', '--defined-only', join(folder, name)], {
      encoding: 'utf8',
    })
    for (const line of symbols.split('\n')) {
      // DW.ref.* are addresses of the C++ runtime's personality routine: data, the same for every set.
      const [, kind, symbol] = /^\S+ ([WVu]) (.*)$/.exec(line) ?? []
      if (kind === undefined || symbol.startsWith('DW.ref.') || symbol.includes(`packed_rnn::${set}::`))
        continue
      found.push(`${set}: ${name}: ${symbol}`)
    }
  }
}
// AMX's instructions belong to the set of that name alone. Products have the registers that tiles.h describes.
const withTiles = new Set()
for (const name of readdirSync(build, { recursive: true })) {
  if (!name.endsWith('.o')) continue
  const code = execFileSync('objdump', ['-d', join(build, name)], { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (/\b(ldtilecfg|tile(loaddt?1?|stored|zero|release)|tdpbf16ps)\b/.test(code))
    withTiles.add(name.split('/')[0])
  for (const [product, operands] of code.matchAll(/\btdpbf16ps (.*)/g)) {
    if (!/^%tmm[67],%tmm[45],%tmm[0-3]\s*$/.test(operands)) found.push(`${name}: ${product}`)
  }
}
for (const folder of withTiles) if (folder !== 'cpu_amx.dir') found.push(`${folder}: AMX`)
if (existsSync(join(build, 'cpu_amx.dir')) && withTiles.size === 0) found.push('cpu_amx.dir: no AMX')
if (objects === 0) throw new Error(`no objects under ${build}: run npm run build:addon first`)
if (found.length > 0)
  throw new Error(
    `compiled for one instruction set, and may be merged by the linker, or belongs to another:\n${found.join('\n')}`,
  )
process.stdout.write(
  `${objects} objects of ${sets.join(', ')}: no symbol of one set can be merged into another\n`,
)
