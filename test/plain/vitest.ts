/**
 * What the suite imports from vitest, where there is no vitest: on a machine with a GPU and no package registry.
 * `scripts/build-gpu.js` puts it where the emitted files look for `vitest`.
 */
import type { Spy } from './expect.js'

export { afterAll, afterEach, beforeAll, beforeEach, describe, it, test } from './collect.js'
export { expect } from './expect.js'

/** Types were checked by the compiler. */
export const expectTypeOf = () => ({ toEqualTypeOf() {}, toExtend() {} })

export const vi = {
  /** Replaces a method by one that remembers its calls. */
  spyOn(owner: Record<string, unknown>, name: string): Spy {
    const original = owner[name] as (...args: unknown[]) => unknown
    let current = original
    const mock: Spy['mock'] = { calls: [] }
    const spy = Object.assign(
      function (this: unknown, ...args: unknown[]): unknown {
        mock.calls.push(args)
        return current.apply(this, args)
      },
      {
        mock,
        mockImplementation(replacement: typeof original) {
          current = replacement
          return spy
        },
        mockRestore() {
          owner[name] = original
        },
      },
    ) as Spy
    owner[name] = spy
    return spy
  },
}
