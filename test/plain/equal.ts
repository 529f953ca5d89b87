/** What `toEqual` and `toMatchObject` of vitest mean, for what the suite compares. */

/**
 * Whether two values have the same content. Properties that are undefined count as missing, and NaN is NaN.
 *
 * @param subset plain objects of `expected` may name fewer properties than `actual` has
 */
export function equal(actual: unknown, expected: unknown, subset = false): boolean {
  if (Object.is(actual, expected)) return true
  if (!isObject(actual) || !isObject(expected)) return false
  // Any object, an error for one, may have the properties that a plain one names.
  const named = subset && Object.getPrototypeOf(expected) === Object.prototype
  if (!named && kindOf(actual) !== kindOf(expected)) return false
  if (expected instanceof RegExp || expected instanceof Date) return String(actual) === String(expected)
  if (expected instanceof Error && !subset) return (actual as Error).message === expected.message
  if (ArrayBuffer.isView(expected)) return equalItems(actual as never, expected as never, subset)
  if (Array.isArray(expected)) return equalItems(actual as unknown[], expected, subset)
  if (expected instanceof Set) return equalItems([...(actual as Set<unknown>)], [...expected], subset)
  if (expected instanceof Map) {
    const other = actual as Map<unknown, unknown>
    return (
      other.size === expected.size &&
      [...expected].every(([key, value]) => other.has(key) && equal(other.get(key), value, subset))
    )
  }
  const keys = subset
    ? Object.keys(expected)
    : [...new Set([...definedKeys(actual), ...definedKeys(expected)])]
  return keys.every(key => equal(Reflect.get(actual, key), Reflect.get(expected, key), subset))
}

function equalItems(actual: ArrayLike<unknown>, expected: ArrayLike<unknown>, subset: boolean): boolean {
  if (actual.length !== expected.length) return false
  for (let i = 0; i < expected.length; i++) if (!equal(actual[i], expected[i], subset)) return false
  return true
}

function definedKeys(value: object): string[] {
  return Object.keys(value).filter(key => Reflect.get(value, key) !== undefined)
}

/** `[object Float32Array]`: an array of another type is another value. A class's instances are objects like others. */
function kindOf(value: object): string {
  if (value instanceof Error) return 'error'
  return Object.prototype.toString.call(value)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
