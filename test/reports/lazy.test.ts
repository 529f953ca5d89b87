import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

/** All that a module brings with it when it is loaded, itself included: what it imports before it runs. */
function broughtBy(file: string, found = new Set<string>()): Set<string> {
  found.add(file)
  for (const [, name] of readFileSync(file, 'utf8').matchAll(
    /^(?:import|export) (?!type )[\w\s{},*]*from '([^']+)'/gm,
  )) {
    const source = join(dirname(file), name!.replace(/\.js$/, '.ts'))
    if (!name!.startsWith('.')) found.add(name!)
    else if (!found.has(source)) broughtBy(source, found)
  }
  return found
}

test('who imports the package does not load what draws', () => {
  const src = (name: string) => fileURLToPath(new URL(`../../src/${name}`, import.meta.url))
  const found = broughtBy(src('index.ts'))
  expect(found).toContain(src('reports/report.ts'))
  expect(found).toContain('csv-parse')
  expect([...found].filter(name => /plot|linkedom|Page\.ts$/.test(name))).toEqual([])
  expect([...broughtBy(src('reports/reportPage.ts'))]).toEqual(
    expect.arrayContaining(['@observablehq/plot', 'linkedom']),
  )
})
