import { describe, expect, test } from 'vitest'

/** What the test of the runner runs: every way for a test to end. */

describe('a group', () => {
  test('passes in a group', () => expect(1).toBe(1))
  test.each([1])('%d is 2', n => expect(n, 'one').toBe(2))
  test('a promise without an await', () => {
    Promise.reject(new Error('astray'))
  })
  test('takes too long', () => new Promise(resolve => setTimeout(resolve, 200)), 20)
  test('rejects', async () => {
    await expect(Promise.reject(new Error('a'))).rejects.toThrow('b')
  })
  test('does not skip', ({ skip }) => skip(false, 'for no reason'))
  test.skip('skips where it is declared', () => {})
  test.for([[1, 2]])('skips %d when it runs', (entry, { skip }) => skip(entry.length === 2, 'for a reason'))
})
