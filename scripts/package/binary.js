// Reads a shared library's requirements, and checks them against what is allowed.
import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'

/**
 * Node 20's own minimum for x64 Linux, from its BUILDING.md: glibc 2.28 and the libstdc++ of GCC 8. These versions are
 * present wherever Node runs.
 */
const FLOOR = { GLIBC: '2.28', GLIBCXX: '3.4.25', CXXABI: '1.3.11', GCC: '8.0.0' }

/** The libraries of any machine with Node: no OpenMP, nothing of CUDA. */
const LIBRARIES = [
  ...['libc.so.6', 'libm.so.6', 'libdl.so.2', 'libpthread.so.0', 'librt.so.1', 'ld-linux-x86-64.so.2'],
  ...['libstdc++.so.6', 'libgcc_s.so.1'],
]

/** Reads `file` with binutils: bytes, libraries, symbols of other libraries by the family of their version. */
export function readBinary(file) {
  const read = (program, ...words) =>
    execFileSync(program, [...words, file], { encoding: 'utf8', maxBuffer: 1 << 28 })
  const symbols = [...read('objdump', '-T').matchAll(/\(?\b([A-Z]+)_(\d+(?:\.\d+)*)\)? +(\S+)$/gm)]
    .filter(([, family]) => Object.hasOwn(FLOOR, family))
    .map(([, family, version, symbol]) => ({ family, version, symbol }))
  const dynamic = read('objdump', '-p')
  return {
    bytes: statSync(file).size,
    symbols,
    libraries: [...dynamic.matchAll(/^ +NEEDED +(\S+)$/gm)].map(([, name]) => name),
    paths: [...dynamic.matchAll(/^ +R(?:UN)?PATH +(\S+)$/gm)].map(([, path]) => path),
    sections: [...read('readelf', '-SW').matchAll(/^ +\[ *\d+\] (\S+)/gm)].map(([, name]) => name),
  }
}

/** The highest version of a family that the binary requires, or null if it requires none. */
export function highest(binary, family) {
  const versions = binary.symbols.filter(found => found.family === family).map(({ version }) => version)
  return versions.sort(compareVersions).at(-1) ?? null
}

/** The faults of a binary that may have `budget` bytes, as sentences; empty if there are none. */
export function faults(binary, budget) {
  const { bytes, symbols, libraries, paths, sections } = binary
  const unstripped = sections.filter(name => name === '.symtab' || name.startsWith('.debug_'))
  return [
    ...(symbols.length === 0 ? ['no symbol of glibc: wanted a shared library for Linux'] : []),
    ...symbols
      .filter(({ family, version }) => compareVersions(version, FLOOR[family]) > 0)
      .map(
        ({ family, version, symbol }) =>
          `${symbol}: wanted ${family}_${FLOOR[family]} at most, got ${version}`,
      ),
    ...libraries.filter(name => !LIBRARIES.includes(name)).map(name => `needs ${name}`),
    ...paths.map(path => `looks for libraries in ${path}`),
    ...unstripped.map(name => `is not stripped: ${name}`),
    ...(bytes > budget ? [`wanted ${budget} bytes at most, got ${bytes}`] : []),
  ]
}

export function compareVersions(a, b) {
  const [left, right] = [a, b].map(version => version.split('.').map(Number))
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
