/** Check, then time. */

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * Steps all runners the same number of times, one after the other, and compares the losses of the first steps with the
 * first runner's: every step moves the parameters on, so they agree only if values and gradients do.
 *
 * @param runners `{ name, step(): Promise<{ seconds, loss, javascript? }> }`
 * @returns for each runner `{ name, seconds[], javascript[] }`, of the timed steps
 * @throws Error where a loss differs by more than a ten-thousandth
 */
export async function compare(runners, { checkedSteps, repeats }) {
  const expected = []
  for (const runner of runners) {
    for (let i = 0; i < checkedSteps; i++) {
      const { loss } = await runner.step()
      expected[i] ??= loss
      if (!(Math.abs(loss - expected[i]) <= 1e-4 * Math.abs(expected[i]))) {
        throw new Error(`${runner.name}: step ${i + 1}: wanted loss ${expected[i]}, got ${loss}`)
      }
    }
  }
  const results = runners.map(({ name }) => ({ name, seconds: [], javascript: [] }))
  for (let i = 0; i < repeats; i++) {
    for (const [r, runner] of runners.entries()) {
      const { seconds, javascript } = await runner.step()
      results[r].seconds.push(seconds)
      if (javascript !== undefined) results[r].javascript.push(javascript)
    }
  }
  return results
}
