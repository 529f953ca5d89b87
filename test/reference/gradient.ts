/**
 * The gradient of `f` at `x` by central differences: `(f(x + eps) - f(x - eps)) / 2 eps` for one element after the
 * other. In float64 with `eps` 1e-5 it is good to about ten digits for functions whose values are near 1.
 *
 * @param f a scalar function; it may read the array that it is given but not keep it
 */
export function finiteDifference(f: (x: Float64Array) => number, x: Float64Array, eps = 1e-5): Float64Array {
  const moved = Float64Array.from(x)
  return x.map((value, k) => {
    moved[k] = value + eps
    const above = f(moved)
    moved[k] = value - eps
    const below = f(moved)
    moved[k] = value
    return (above - below) / (2 * eps)
  })
}
