import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'

/** The check of the package's contents; scripts are JavaScript, so it runs beside the tests. */

const url = new URL('../../scripts/package/contents.js', import.meta.url)

function evaluate(expression: string): unknown {
  const source = `import { contentFaults, manifestFaults, wantedContents } from '${url}'
    console.log(JSON.stringify(${expression}))`
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', source], {
    encoding: 'utf8',
  })
  return JSON.parse(output)
}

test('a missing file and a superfluous file are reported', () => {
  expect(evaluate("contentFaults(['a', 'c'], ['a', 'b'])")).toEqual([
    'the package lacks b',
    'the package has c, which is not needed',
  ])
  expect(evaluate("contentFaults(['a'], ['a'])")).toEqual([])
})

test('the package contains the files to compile it and to run it', () => {
  const wanted = evaluate('wantedContents()')
  for (const name of ['CMakeLists.txt', 'binding.gyp', 'scripts/compile.js', 'native/backend.h', 'LICENSE'])
    expect(wanted).toContain(name)
  for (const name of ['dist/index.js', 'dist/index.d.ts', 'dist/cli/build.js', 'native/floor/floor.cmake'])
    expect(wanted).toContain(name)
  expect(wanted).not.toContain('src/index.ts')
})

test('install scripts are rejected, also the implicit one of binding.gyp', () => {
  expect(evaluate('manifestFaults({ gypfile: false, scripts: { prepare: "x" } })')).toEqual([])
  expect(evaluate('manifestFaults({ scripts: { postinstall: "x" } })')).toEqual([
    'package.json: wanted no script postinstall',
    'package.json: gypfile: wanted false, got undefined',
  ])
})

test('a changelog without a section for the version is rejected', () => {
  const { href } = new URL('../../scripts/package/changelog.js', import.meta.url)
  const faults = (changelog: string, lock = '1.2.0') =>
    evaluate(`(await import('${href}')).releaseFaults('1.2.0', '${lock}', ${JSON.stringify(changelog)})`)
  const good = '# Changelog\n\n## 1.2.0\n\n### Fixed\n\n- x\n\n## 1.1.0\n\n### Added\n'
  expect(faults(good)).toEqual([])
  expect(faults(good, '1.1.0')).toEqual(['package-lock.json: wanted version 1.2.0, got 1.1.0'])
  expect(faults(good.replace('1.2.0', 'Unreleased'))).toEqual([
    'CHANGELOG.md: wanted 1.2.0 as its newest section, got Unreleased',
  ])
  expect(faults(good.replace('Fixed', 'Improved'))).toEqual([
    'CHANGELOG.md: wanted Added, Changed, Fixed, got Improved',
  ])
  expect(faults(good.replace('### Fixed', ''))).toHaveLength(1)
})
