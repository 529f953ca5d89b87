import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * An object that the innermost scope disposes at its end. The constructor is protected, so that the published types, which omit
 * internal constructors, do not let users construct subclasses.
 */
export abstract class Scoped {
  protected constructor() {
    scopes.getStore()?.add(this)
  }

  abstract dispose(): void
}

const scopes = new AsyncLocalStorage<Set<{ dispose(): void }>>()

/** Removes an object from the scope it was made in, so that it outlives it: gradients, parameters, optimiser state. @internal */
export function outlive<T extends { dispose(): void }>(kept: T): T {
  scopes.getStore()?.delete(kept)
  return kept
}

/**
 * Runs `fn` and disposes the tensors made inside it, also if `fn` is async or throws. It keeps:
 *
 * - the result: a tensor, or an array or object that contains tensors. They then belong to the outer scope.
 * - gradients (`grad`) and the state of optimisers.
 * - what the tape holds for a backward pass, until the pass has run or the tape is garbage-collected. With
 *   `noGrad` there is no tape.
 *
 * @example
 * ```ts
 * import { memory, mul, scope, sum, tensor } from 'packed-rnn'
 *
 * const before = memory().tensors
 * const total = scope(() => {
 *   const x = tensor([1, 2, 3])
 *   return sum(mul(x, x))
 * })
 * console.log(await total.item(), memory().tensors - before) // 14 1
 * ```
 */
export function scope<T>(fn: () => Promise<T>): Promise<T>
export function scope<T>(fn: () => T): T
export function scope(fn: () => unknown): unknown {
  const outer = scopes.getStore()
  const made = new Set<{ dispose(): void }>()
  const end = (result: unknown): void => {
    const kept = new Set<object>()
    collect(result, kept, new Set())
    for (const thing of made) {
      if (!kept.has(thing)) thing.dispose()
      else outer?.add(thing)
    }
    made.clear()
  }
  let result: unknown
  try {
    result = scopes.run(made, fn)
  } catch (error) {
    end(null)
    throw error
  }
  if (result instanceof Promise) {
    return result.then(
      value => {
        end(value)
        return value
      },
      error => {
        end(null)
        throw error
      },
    )
  }
  end(result)
  return result
}

function collect(value: unknown, found: Set<object>, seen: Set<object>): void {
  if (typeof value !== 'object' || value === null || seen.has(value) || ArrayBuffer.isView(value)) return
  seen.add(value)
  if (value instanceof Scoped) {
    found.add(value)
    return
  }
  for (const part of Object.values(value)) collect(part, found, seen)
}
