import { expect, test } from 'vitest'
import { cli } from './command.js'

// That it compiles is shown by `npm run test:long`, on the installed package.
test('build lists what is missing, and compiles nothing', async () => {
  const { code, stdout, stderr } = await cli(['build'], { env: { PATH: '/nonexistent', CXX: '' } })
  expect([code, stdout]).toEqual([1, ''])
  const [first, ...lines] = stderr.trim().split('\n')
  expect(first).toBe('packed-rnn build: cannot compile the addon, because of what is missing:')
  expect(lines.slice(0, -1)).toEqual([
    '  - a C++20 compiler: found none of c++, g++, clang++',
    '  - cmake 3.20 or later: found none',
    '  - make, which cmake calls (or CMAKE_GENERATOR=Ninja and ninja)',
  ])
  expect(lines.at(-1)).toMatch(/^On .*: .*cmake/)
})

test('build names the compiler that CXX asks for', async () => {
  const { code, stderr } = await cli(['build'], { env: { CXX: 'false' } })
  expect(code).toBe(1)
  expect(stderr).toContain('  - a C++20 compiler: found none of false\n')
})
