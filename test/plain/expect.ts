import { inspect } from 'node:util'
import { equal } from './equal.js'

/** `expect` with the matchers that the suite uses. What is not here throws, and fails its test. */

type Matcher = (actual: unknown, ...wanted: never[]) => boolean

/** A function that remembers its calls, made by `vi.spyOn`. */
export interface Spy {
  (...args: unknown[]): unknown
  mock: { calls: unknown[][] }
  mockImplementation(replacement: (...args: unknown[]) => unknown): Spy
  mockRestore(): void
}

const matchers: Record<string, Matcher> = {
  toBe: (actual, wanted: unknown) => Object.is(actual, wanted),
  toEqual: (actual, wanted: unknown) => equal(actual, wanted),
  toMatchObject: (actual, wanted: object) => equal(actual, wanted, true),
  toBeNaN: actual => Number.isNaN(actual),
  toBeNull: actual => actual === null,
  toBeUndefined: actual => actual === undefined,
  toBeDefined: actual => actual !== undefined,
  toBeTruthy: actual => Boolean(actual),
  toBeFalsy: actual => !actual,
  toBeInstanceOf: (actual, type: new () => unknown) => actual instanceof type,
  toBeLessThan: (actual, wanted: number) => (actual as number) < wanted,
  toBeLessThanOrEqual: (actual, wanted: number) => (actual as number) <= wanted,
  toBeGreaterThan: (actual, wanted: number) => (actual as number) > wanted,
  toBeGreaterThanOrEqual: (actual, wanted: number) => (actual as number) >= wanted,
  toBeCloseTo: (actual, wanted: number, digits = 2 as never) =>
    Math.abs((actual as number) - wanted) < 10 ** -digits / 2,
  toHaveLength: (actual, length: number) => (actual as ArrayLike<unknown>).length === length,
  toContain: (actual, part: unknown) =>
    typeof actual === 'string' ? actual.includes(String(part)) : [...(actual as unknown[])].includes(part),
  toMatch: (actual, pattern: string | RegExp) => matches(String(actual), pattern),
  toHaveProperty: (actual, path: string | string[]) => {
    let value = actual
    for (const name of typeof path === 'string' ? path.split('.') : path) {
      if (typeof value !== 'object' || value === null || !(name in value)) return false
      value = Reflect.get(value, name)
    }
    return true
  },
  toHaveBeenCalledExactlyOnceWith: (actual, ...wanted: unknown[]) => {
    const { calls } = (actual as Spy).mock
    return calls.length === 1 && equal(calls[0], wanted)
  },
}

function matches(text: string, pattern: string | RegExp): boolean {
  return typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text)
}

/** What a thrown value is compared with: part of its message, a pattern, its class, or an error with its message. */
function isThrown(error: unknown, wanted: unknown): boolean {
  if (wanted === undefined) return true
  if (typeof wanted === 'function') return error instanceof wanted
  const message = error instanceof Error ? error.message : String(error)
  if (wanted instanceof Error) return message === wanted.message
  return matches(message, wanted as string | RegExp)
}

class ExpectationError extends Error {
  override readonly name = 'ExpectationError'
}

type Checks = Record<string, (...wanted: unknown[]) => unknown>

/** `expect(value, 'what it is').toBe(…)`, `.not.toBe(…)`, and for promises `.resolves.…` and `.rejects.…`. */
export function expect(
  actual: unknown,
  about?: string,
): Checks & { not: Checks; rejects: Checks; resolves: Checks } {
  return Object.assign(checks(actual, about, false), {
    not: checks(actual, about, true),
    rejects: later(about, async () => {
      const fate = await settled(actual)
      if ('error' in fate) return fate.error
      throw new ExpectationError(
        `${prefix(about)}wanted a promise that rejects, it resolved to ${show(fate.value)}`,
      )
    }),
    resolves: later(about, async () => actual),
  })
}

expect.unreachable = (about = 'reached what should not be') => {
  throw new ExpectationError(about)
}

async function settled(promise: unknown): Promise<{ error: unknown } | { value: unknown }> {
  try {
    return { value: await promise }
  } catch (error) {
    return { error }
  }
}

function checks(actual: unknown, about: string | undefined, not: boolean): Checks {
  const all: Checks = {}
  const decide = (name: string, pass: boolean, wanted: unknown[], got: unknown) => {
    if (pass !== not) return
    const list = wanted.map(show).join(', ')
    throw new ExpectationError(`${prefix(about)}${not ? 'not ' : ''}${name}(${list}): got ${show(got)}`)
  }
  for (const [name, matcher] of Object.entries(matchers)) {
    all[name] = (...wanted) => decide(name, matcher(actual, ...(wanted as never[])), wanted, actual)
  }
  all.toThrow = (...wanted) => {
    let fate: { error: unknown } | null = null
    try {
      ;(actual as () => void)()
    } catch (error) {
      fate = { error }
    }
    decide('toThrow', fate !== null && isThrown(fate.error, wanted[0]), wanted, fate?.error ?? 'no error')
  }
  return all
}

function later(about: string | undefined, value: () => Promise<unknown>): Checks {
  const all: Checks = {}
  for (const name of Object.keys(matchers)) {
    all[name] = async (...wanted) => checks(await value(), about, false)[name]!(...wanted)
  }
  all.toThrow = async (...wanted) => {
    const error = await value()
    const thrower = () => {
      throw error
    }
    checks(thrower, about, false).toThrow!(...wanted)
  }
  return all
}

function prefix(about: string | undefined): string {
  return about === undefined ? '' : `${about}: `
}

function show(value: unknown): string {
  const text = inspect(value, { depth: 4, breakLength: Infinity, maxArrayLength: 12, maxStringLength: 500 })
  return text.length > 1000 ? `${text.slice(0, 1000)}…` : text
}
