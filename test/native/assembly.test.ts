// What no run can show: a compiler may move an access to memory across assembly that does not say that it accesses memory.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const folder = join(import.meta.dirname, '..', '..', 'native', 'cuda')

/** Instructions of PTX that read or write memory, or wait for those who do. */
const ACCESSES = /\b(ld|st|cp|ldmatrix|stmatrix|atom|red|bar|barrier|membar|fence)\./

/** Each asm statement, from its name to the parenthesis that ends it. */
function statements(source: string): string[] {
  return [...source.matchAll(/\basm\b( volatile)?\(/g)].map(({ index }) => {
    let depth = 0
    let end = source.indexOf('(', index)
    do {
      if (source[end] === '(') depth++
      if (source[end] === ')') depth--
      end++
    } while (depth > 0)
    return source.slice(index, end)
  })
}

test('assembly that accesses memory is volatile and says so', () => {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name =>
    /\.cuh?$/.test(name),
  )
  const all = files.flatMap(name => statements(readFileSync(join(folder, name), 'utf8')))
  const accesses = all.filter(statement => ACCESSES.test(statement))
  // readShared; two copies; their group, and the wait for it.
  expect(accesses).toHaveLength(5)
  for (const statement of accesses) expect(statement).toMatch(/^asm volatile\(.*"memory"\)$/s)
})
