import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

/** The gates on what is shipped, on small libraries with a fault each. */

const script = fileURLToPath(new URL('../../scripts/check-prebuilds.js', import.meta.url))
const ADDON = 'packed-rnn.glibc.node'
const CUDA = 'libpacked_rnn_cuda.so'
const GOOD = '#include <cstdlib>\nvoid* f(long n) { return std::malloc(n); }\n'
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'packed-rnn-prebuilds-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function compile(name: string, source: string, options: string[] = ['-s']) {
  const words = ['-shared', '-fPIC', '-O1', '-x', 'c++', '-', '-o', join(folder, name), ...options]
  execFileSync(process.env.CXX ?? 'g++', words, { input: source })
}

function check(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--folder', folder, ...words], {
    encoding: 'utf8',
  })
  return { code: status, told: stdout, faults: stderr }
}

/** In the form of nvcc's: entries of 64 bytes and a payload of 8, for machine code (2) or PTX (1). */
function fatbin(entries: [kind: number, architecture: number][]): string {
  const data = [`.long 0xba55ed50`, `.short 1, 16`, `.quad ${72 * entries.length}`]
  for (const [kind, architecture] of entries)
    data.push(`.short ${kind}, 0x101`, '.long 64', '.quad 8', '.zero 12', `.long ${architecture}`, '.zero 40')
  return `asm(R"(.section .nv_fatbin,"a"\n.balign 8\n${data.join('\n')}\n.text)");\n`
}

const ALL: [number, number][] = [75, 80, 86, 89, 90, 100, 120].map(number => [2, number])

test('complete prebuilds pass, and their sizes and versions are printed', () => {
  compile(ADDON, GOOD)
  compile(CUDA, GOOD + fatbin([...ALL, [1, 120]]))
  const { code, told, faults } = check('--complete')
  expect([code, faults]).toEqual([0, ''])
  expect(told).toMatch(/^packed-rnn\.glibc\.node: 0\.\d+ MiB of [\d.]+, GLIBC_2\.2\.5, GLIBCXX_null$/m)
  expect(told).toMatch(/^libpacked_rnn_cuda\.so: 1 sources for 75-real, .*, 120$/m)
})

const BAD_LENGTH =
  'namespace std { void __throw_bad_array_new_length(); }\nvoid g() { std::__throw_bad_array_new_length(); }'

test.each<[string, string, string[], RegExp]>([
  [
    'glibc 2.29',
    'extern "C" double pow(double, double);\ndouble g(double x) { return pow(x, x); }',
    ['-s', '-lm'],
    /^packed-rnn\.glibc\.node: pow: wanted GLIBC_2\.28 at most, got 2\.29$/m,
  ],
  [
    "GCC 11's libstdc++",
    BAD_LENGTH,
    ['-s'],
    /_ZSt28__throw_bad_array_new_lengthv: wanted GLIBCXX_3\.4\.25 at most, got 3\.4\.29$/m,
  ],
  [
    'OpenMP',
    'void g(int* x) {\n#pragma omp parallel for\nfor (int i = 0; i < 99; i++) x[i] = i; }',
    ['-s', '-fopenmp'],
    /: needs libgomp\.so\.1$/m,
  ],
  ['its symbols', '', [], /: is not stripped: \.symtab$/m],
  ['a path to libraries', '', ['-s', '-Wl,-rpath,/opt/lib'], /: looks for libraries in \/opt\/lib$/m],
  [
    'too many bytes',
    'asm(".data\\n.fill 5242880, 1, 1\\n.text");',
    ['-s'],
    /: wanted 4194304 bytes at most, got 5\d{6}$/m,
  ],
])('a binary with %s is rejected', (_name, source, options, fault) => {
  compile(ADDON, GOOD + source, options)
  const { code, faults } = check()
  expect(code).toBe(1)
  expect(faults).toMatch(fault)
  expect(faults.trim().split('\n')).toHaveLength(1)
})

test('a missing or superfluous file is rejected', () => {
  expect(check()).toMatchObject({ code: 1, faults: `${ADDON}: is not there: npm run prebuild\n` })
  compile(ADDON, GOOD)
  expect(check('--complete')).toMatchObject({ code: 1, faults: `${CUDA}: is not there: npm run prebuild\n` })
  expect(check().code).toBe(0)
  writeFileSync(join(folder, 'notes.txt'), '')
  expect(check().faults).toBe(`notes.txt: wanted only ${ADDON} and ${CUDA}\n`)
})

test('a CUDA library without code for an architecture is rejected', () => {
  compile(ADDON, GOOD)
  compile(CUDA, GOOD)
  expect(check().faults).toContain(`${CUDA}: has no code for a GPU\n`)
  compile(CUDA, GOOD + fatbin([...ALL, [1, 120]]) + fatbin(ALL.slice(1)))
  expect(check()).toMatchObject({
    code: 1,
    faults: `${CUDA}: 1 of 2 sources have no elf 75\n${CUDA}: 1 of 2 sources have no ptx 120\n`,
  })
})
