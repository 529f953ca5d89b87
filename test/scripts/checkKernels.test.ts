import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

/** The gate on kernels, on sources and on words of ptxas that are written here: it needs no nvcc. */

const script = fileURLToPath(new URL('../../scripts/check-kernels.js', import.meta.url))
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'packed-rnn-kernels-'))
  for (const name of ['sources', 'build/CMakeFiles/3.25.1'])
    mkdirSync(join(folder, name), { recursive: true })
  const about = join(folder, 'build/CMakeFiles/3.25.1/CMakeCUDACompiler.cmake')
  writeFileSync(about, 'set(CMAKE_CUDA_COMPILER_VERSION "13.0.88")\n')
  writeFileSync(join(folder, 'kernels.md'), page(''))
})
afterEach(() => rmSync(folder, { recursive: true }))

const MARKS = ['<!-- kernels: written by `npm run check:kernels -- --write` -->', '<!-- /kernels -->']
const page = (table: string) => `# Kernels\n\n${MARKS[0]}\n${table}${MARKS[1]}\nThe end.\n`

interface Compiled {
  symbol: string
  arch?: string
  used?: string
  frame?: [stack: number, stores: number, loads: number]
  /** Of a function that it calls. */
  callee?: [stack: number, stores: number, loads: number]
}

/** What `nvcc -Xptxas -v` of CUDA 13.0 writes. */
function ptxas({
  symbol,
  arch = 'sm_80',
  used = '40 registers, used 1 barriers',
  ...rest
}: Compiled): string {
  const { frame = [0, 0, 0], callee } = rest
  const line = ([stack, stores, loads]: [number, number, number]) =>
    `    ${stack} bytes stack frame, ${stores} bytes spill stores, ${loads} bytes spill loads\n`
  return (
    `ptxas info    : 0 bytes gmem\n` +
    `ptxas info    : Compiling entry function '${symbol}' for '${arch}'\n` +
    `ptxas info    : Function properties for ${symbol}\n${line(frame)}` +
    `ptxas info    : Used ${used}, 376 bytes cmem[0]\n` +
    `ptxas info    : Compile time = 2.398 ms\n` +
    (callee ? `ptxas info    : Function properties for _ZN1a6helperEf\n${line(callee)}` : '')
  )
}

const PLAIN = '_ZN1a5plainENS_4ArgsE'
const wide = (H: number, operand: string) => `_ZN1a12_GLOBAL__N_14wideILi${H}ENS_${operand}ELb1EEEvNS_4ArgsE`

function check(source: string, compiled: Compiled[], args: string[] = [], archs = ['sm_80']) {
  const object = 'x.cu.o'
  const codes = archs.map(arch => `--generate-code=arch=compute_${arch.slice(3)},code=[${arch}]`)
  const file = join(folder, 'sources/x.cu')
  writeFileSync(file, source)
  const command = `nvcc ${codes.join(' ')} -c ${file} -o ${object}`
  const commands = [{ directory: join(folder, 'build'), command, file }]
  writeFileSync(join(folder, 'build/compile_commands.json'), JSON.stringify(commands))
  writeFileSync(join(folder, 'build', `${object}.log`), compiled.map(ptxas).join(''))
  const places = ['--build', 'build', '--sources', 'sources', '--docs', 'kernels.md']
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...places, ...args], {
    cwd: folder,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

const write = (source: string, compiled: Compiled[], archs?: string[]) =>
  check(source, compiled, ['--write'], archs)

const kernel = (budget: string) => `// What it does.\n${budget}\n__global__ void plain(const Args p) {\n}\n`

test('a kernel within its budget passes', () => {
  const result = write(kernel('// budget: 40 registers'), [{ symbol: PLAIN }])
  expect(result).toMatchObject({ status: 0, stderr: '' })
  expect(result.stdout).toBe(
    '1 files, 1 kernels for sm_80: no spill, registers and shared memory within the budgets\n',
  )
})

test.each([
  ['of a kernel', { frame: [8, 4, 12] }, /plain: spills \(B stored \+ loaded\): sm_80 4 \+ 12$/m],
  [
    'of a function that it calls',
    { callee: [8, 0, 4] },
    /helper: spills \(B stored \+ loaded\): sm_80 0 \+ 4$/m,
  ],
] satisfies [string, Partial<Compiled>, RegExp][])('a spill %s is reported', (_, found, message) => {
  const result = write(kernel('// budget: 255 registers, 64 KB stack'), [{ symbol: PLAIN, ...found }])
  expect(result.status).toBe(1)
  expect(result.stderr).toMatch(message)
})

test.each([
  [
    'registers',
    '41 registers, used 1 barriers',
    'plain: registers: sm_80 41, over the budget of 40 (sources/x.cu:2)',
  ],
  [
    'shared memory',
    '40 registers, used 1 barriers, 1025 bytes smem',
    'plain: shared: sm_80 1025 B, over the budget of 1024 B',
  ],
  [
    'the stack with what is called',
    '40 registers, used 0 barriers, 24 bytes cumulative stack size',
    'plain: stack: sm_80 24 B, over the budget of 16 B',
  ],
])('a kernel over its budget is reported: %s', (_, used, message) => {
  const result = write(kernel('// budget: 40 registers, 1 KB shared, 16 B stack'), [{ symbol: PLAIN, used }])
  expect(result.status).toBe(1)
  expect(result.stderr).toContain(message)
})

test('a kernel without a budget is reported with its use', () => {
  const result = write(kernel('//'), [
    { symbol: PLAIN, used: '40 registers, used 1 barriers, 512 bytes smem' },
  ])
  expect(result.status).toBe(1)
  expect(result.stderr).toBe('sources/x.cu:3: plain has no budget; it takes 40 registers, 512 B shared\n')
})

test.each([
  [
    'above no kernel',
    `// budget: 40 registers\n\n${kernel('// budget: 40 registers')}`,
    "x.cu:1: wanted a budget directly above a kernel, got '// budget: 40 registers'",
  ],
  [
    'that no instantiation takes',
    kernel('// budget: 40 registers\n// budget: 9 registers'),
    'x.cu:3: no instantiation of plain takes this budget',
  ],
])('a budget %s is reported', (_, source, message) => {
  const result = write(source, [{ symbol: PLAIN }])
  expect(result.status).toBe(1)
  expect(result.stderr).toContain(message)
})

test.each([
  [
    '// budget: 40 registers, much shared',
    "N registers, or N B|KB shared, dynamic or stack, got 'much shared'",
  ],
  ['// budget: 2 KB shared', "wanted N registers, got '2 KB shared'"],
  ['// budget<H=64>: 40 registers', "wanted a value, or parameter=value of no template, got 'H=64'"],
])('an unreadable line is reported: %s', (budget, message) => {
  const result = write(kernel(budget), [{ symbol: PLAIN }])
  expect(result.status).toBe(1)
  expect(result.stderr).toContain(message)
})

const WIDE = `namespace a { namespace {
// budget<H=128, Tf32<true>>: 128 registers, 34 KB shared, 65 KB dynamic
// budget<H=128>: 96 registers
// budget: 64 registers
template <int H, class Operand,
          bool train = false>
__global__ void __launch_bounds__(threads<H>(2), 1)
    wide(const __grid_constant__ Args p) {
}
__global__ void plain(const Args p);  // defined elsewhere
}}
`
const VARIANTS: Compiled[] = ['sm_75', 'sm_80'].flatMap(arch => [
  {
    arch,
    symbol: wide(128, '4Tf32ILb1EE'),
    used:
      arch === 'sm_75' ? '4 registers, used 0 barriers' : '128 registers, used 1 barriers, 34816 bytes smem',
  },
  { arch, symbol: wide(128, '4Bf16'), used: '90 registers, used 1 barriers' },
  { arch, symbol: wide(64, '4Bf16'), used: '60 registers, used 1 barriers' },
  { arch, symbol: wide(32, '4Bf16'), used: '64 registers, used 1 barriers' },
])
const TWO = ['sm_75', 'sm_80']

test('for variants of a template the first matching line counts, and each variant has a row', () => {
  expect(write(WIDE, VARIANTS, TWO)).toMatchObject({ status: 0, stderr: '' })
  const written = readFileSync(join(folder, 'kernels.md'), 'utf8')
  expect(written).toContain(
    [
      '| kernel | sm_75 | sm_80 | budget | shared | spills |',
      '| --- | --: | --: | --: | --: | --: |',
      '| `wide<H=128, Tf32<true>>` | — | 128 | 128 | 34 KB + 65 KB | 0 |',
      '| `wide<H=128>` | 90 | 90 | 96 | 0 | 0 |',
      '| `wide`, 2 instantiations | 64 | 64 | 64 | 0 | 0 |',
      MARKS[1],
      'The end.',
    ].join('\n'),
  )
  expect(check(WIDE, VARIANTS, [], TWO)).toMatchObject({ status: 0, stderr: '' })
  const grown = VARIANTS.map(found => ({ ...found, used: found.used!.replace('90', '91') }))
  expect(check(WIDE, grown, [], TWO).stderr).toContain('the table is out of date')
})

test('--some compares the columns of the architectures that were built', () => {
  write(WIDE, VARIANTS, TWO)
  const built = (variants: Compiled[], ...args: string[]) =>
    check(
      WIDE,
      variants.filter(({ arch }) => arch === 'sm_80'),
      args,
      ['sm_80'],
    )
  expect(built(VARIANTS, '--some')).toMatchObject({ status: 0, stderr: '' })
  expect(built(VARIANTS).stderr).toContain('the table is out of date')
  const grown = VARIANTS.map(found => ({ ...found, used: found.used!.replace('90', '91') }))
  expect(built(grown, '--some').stderr).toContain('the table is out of date')
})

test('a variant over its own budget is reported, even if within the others', () => {
  const grown = VARIANTS.map(found => ({ ...found, used: found.used!.replace('60 reg', '65 reg') }))
  const result = write(WIDE, grown, TWO)
  expect(result.stderr).toContain(
    'wide<64, Bf16, true>: registers: sm_75 65, sm_80 65, over the budget of 64',
  )
})

test('an architecture that is missing in the log is reported', () => {
  const result = write(kernel('// budget: 40 registers'), [{ symbol: PLAIN }], TWO)
  expect(result.status).toBe(1)
  expect(result.stderr).toContain('x.cu.o.log: nothing for sm_75')
})

test('the table of another compiler is not compared', () => {
  writeFileSync(join(folder, 'kernels.md'), page('nvcc 12.8.93. Registers\n'))
  const result = check(kernel('// budget: 40 registers'), [{ symbol: PLAIN }])
  expect(result).toMatchObject({ status: 0, stderr: '' })
  expect(result.stdout).toContain('of nvcc 12.8.93, not compared with nvcc 13.0.88')
})
