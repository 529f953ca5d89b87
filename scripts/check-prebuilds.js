// Checks the binaries that ship: the libraries and versions that they need, that they are stripped, their sizes, and that
// the CUDA library has code for every architecture. npm run check:prebuilds [-- --complete] [-- --folder DIR]
//
//   --complete  fails if the CUDA library is missing
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { faults, highest, readBinary } from './package/binary.js'
import { architectures } from './package/fatbin.js'

const MIB = 2 ** 20
const ADDON = 'packed-rnn.glibc.node'
const CUDA = 'libpacked_rnn_cuda.so'
/** Bytes, with room for a few more kernels. */
const BUDGETS = { [ADDON]: 4 * MIB, [CUDA]: 32 * MIB }

const root = join(import.meta.dirname, '..')
const { values: options } = parseArgs({
  options: {
    complete: { type: 'boolean', default: false },
    folder: { type: 'string', default: join(root, 'prebuilds', 'linux-x64') },
  },
})
const { folder } = options
const names = existsSync(folder) ? readdirSync(folder) : []
const found = []
const tell = (name, fault) => found.push(`${name}: ${fault}`)

for (const name of options.complete ? [ADDON, CUDA] : [ADDON])
  if (!names.includes(name)) tell(name, 'is not there: npm run prebuild')
for (const name of names) {
  if (!Object.hasOwn(BUDGETS, name)) {
    tell(name, `wanted only ${Object.keys(BUDGETS).join(' and ')}`)
    continue
  }
  const binary = readBinary(join(folder, name))
  for (const fault of faults(binary, BUDGETS[name])) tell(name, fault)
  const size = `${(binary.bytes / MIB).toFixed(2)} MiB of ${(BUDGETS[name] / MIB).toFixed(2)}`
  const versions = ['GLIBC', 'GLIBCXX'].map(family => `${family}_${highest(binary, family)}`)
  process.stdout.write(`${name}: ${size}, ${versions.join(', ')}\n`)
}
if (names.includes(CUDA)) checkArchitectures()
if (found.length > 0) {
  process.stderr.write(`${found.join('\n')}\n`)
  process.exitCode = 1
}

/** The architectures of CMakeLists.txt: N-real is machine code for N; N alone also includes PTX, for newer devices. */
function checkArchitectures() {
  const definition = readFileSync(join(root, 'CMakeLists.txt'), 'utf8')
  const named = /CMAKE_CUDA_ARCHITECTURES ([^)]+?) CACHE/.exec(definition)[1].split(' ')
  const wanted = named.flatMap(name =>
    /^\d+$/.test(name) ? [`elf ${name}`, `ptx ${name}`] : [`elf ${parseInt(name, 10)}`],
  )
  const sources = architectures(join(folder, CUDA))
  if (sources.length === 0) tell(CUDA, 'has no code for a GPU')
  for (const one of wanted) {
    const without = sources.filter(source => !source.has(one)).length
    if (without > 0) tell(CUDA, `${without} of ${sources.length} sources have no ${one}`)
  }
  process.stdout.write(`${CUDA}: ${sources.length} sources for ${named.join(', ')}\n`)
}
