import { AsyncLocalStorage } from 'node:async_hooks'

/** What is made inside a scope and disposed at its end. */
export abstract class Scoped {
  constructor() {
    scopes.getStore()?.add(this)
  }

  abstract dispose(): void
}

const scopes = new AsyncLocalStorage<Set<{ dispose(): void }>>()

/** Keeps something beyond the scope it was made in: gradients, parameters, optimiser state. @internal */
export function outlive<T extends { dispose(): void }>(kept: T): T {
  scopes.getStore()?.delete(kept)
  return kept
}

/**
 * Runs `fn` and disposes the tensors made inside it, also when it is async or throws. What it returns is kept: a
 * tensor, or an array or object with tensors in it, which then belongs to the scope outside. Gradients (`grad`) and
 * the state of optimisers are kept too, and so is what a tape holds for a backward pass that never comes: that goes when
 * it is garbage. `noGrad` keeps no tape.
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
