/** Microseconds of a layer-step: an LSTM layer's forward and backward pass over B sequences of T rows, divided by T. */
import { median } from '../../dist/median.js'
import { TIME_OVER } from './clock.js'
import { checkAgainstReference, checkPeer, checkPoint, Layer, ownSample } from './layer.js'

const SIZES = { H: [64, 128, 32, 256, 512, 1024], B: [256, 64, 32, 1, 8, 128], T: [256, 1024, 32, 4096] }
const ROUNDS = 5
/** Passes that are issued one after the other take about this long, and hold about so many bytes. */
const ROUND_SECONDS = 0.05
const ROUND_BYTES = 1e9
const MOST_CALLS = 64
/** Numbers in a layer's output, beyond which its gates do not fit beside PyTorch's on a card of 80 GB. */
const MOST_NUMBERS = 2 ** 26
/** Operations of a point that a CPU is asked for, where all this is only tried. */
const MOST_CPU_FLOPS = 1e9

/** All points, what is asked most often first. */
function* points(kind) {
  for (const T of SIZES.T) {
    for (const H of SIZES.H) {
      for (const B of SIZES.B) {
        const tooLarge = B * T * H > MOST_NUMBERS || (kind === 'cpu' && 48 * H * H * B * T > MOST_CPU_FLOPS)
        yield { H, B, T, tooLarge }
      }
    }
  }
}

/**
 * @param {{ device, stepwise, cpu }} devices `stepwise` and `cpu` are null on the CPU, which is compared with the
 * reference alone
 * @param reference test/reference/lstm.ts, compiled; null where it was not
 */
export async function measureSteps({ device, stepwise, cpu }, peer, reference, deadline, log) {
  const results = []
  const references = {}
  for (const { tooLarge, ...shape } of points(device.kind)) {
    const about = `H ${shape.H}, B ${shape.B}, T ${shape.T}`
    if (tooLarge) {
      results.push({ ...shape, reason: 'left out: too large' })
      continue
    }
    if (deadline.over) {
      results.push({ ...shape, reason: TIME_OVER })
      continue
    }
    try {
      if (reference !== null) references[shape.H] ??= await checkAgainstReference(device, shape.H, reference)
      const checked = cpu === null ? null : await checkPoint(device, cpu, shape)
      const runners = await makeRunners({ device, stepwise, cpu }, peer, shape)
      const rows = await interleave(runners, shape)
      for (const { layer } of runners) layer?.dispose()
      results.push({ ...shape, referenceError: references[shape.H] ?? null, checked, rows })
      log(`${about}: ${rows.map(row => `${row.who} ${told(row)}`).join(', ')}`)
    } catch (error) {
      results.push({ ...shape, reason: `failed: ${error.message}`, wrong: true })
      log(`${about}: failed: ${error.message}`)
    }
  }
  return results
}

function told({ forward, backward, reason }) {
  return reason ?? `${forward.toFixed(2)} + ${backward.toFixed(2)} µs`
}

/** Everybody who takes part in this point, or why not. */
async function makeRunners({ device, stepwise, cpu }, peer, shape) {
  const { H, B, T } = shape
  const lengths = new Array(B).fill(T)
  const ours = (who, on) => {
    const layer = new Layer(on, { H, lengths })
    return { who, layer, round: calls => layer.round(calls) }
  }
  const runners = [ours('packed-rnn', device)]
  // Above that the first path takes no layer, and the two are one.
  if (stepwise !== null && H <= 128) {
    const checked = await checkPoint(stepwise, cpu, shape)
    runners.push({ ...ours('packed-rnn stepwise', stepwise), checked })
  }
  if (peer === null) return runners
  const own = await ownSample(device, shape)
  // On a CPU, where it is only tried, the packed one's backward pass takes seconds.
  for (const mode of device.kind === 'cpu' ? ['padded'] : ['padded', 'packed']) {
    const who = `PyTorch ${mode}`
    try {
      const sample = await peer.ask({ do: 'layer', mode, ...shape })
      const peerError = checkPeer(device, shape, own, sample)
      runners.push({ who, peerError, round: calls => peer.ask({ do: 'round', mode, calls }) })
    } catch (error) {
      runners.push({ who, reason: error.message })
    }
  }
  return runners
}

/** Rounds of everybody in turn. Whoever is slow makes fewer calls in a round, but no fewer rounds. */
async function interleave(runners, { H, B, T }) {
  const mostCalls = Math.max(1, Math.min(MOST_CALLS, Math.floor(ROUND_BYTES / (40 * B * T * H))))
  const running = []
  for (const runner of runners) {
    if (runner.reason !== undefined) continue
    // The first call of all warms, the second one tells how many make a round.
    await runner.round(1)
    const { forward, backward } = await runner.round(1)
    const wanted = Math.floor(ROUND_SECONDS / (forward + backward))
    running.push({ runner, calls: Math.max(1, Math.min(mostCalls, wanted)), found: [] })
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const { runner, calls, found } of running) found.push(await runner.round(calls))
  }
  return runners.map(runner => {
    const { who, reason, peerError, checked } = runner
    if (reason !== undefined) return { who, reason }
    const { calls, found } = running.find(one => one.runner === runner)
    const microseconds = key => (median(found.map(one => one[key])) / T) * 1e6
    return {
      who,
      ...{ forward: microseconds('forward'), backward: microseconds('backward'), calls, rounds: ROUNDS },
      ...(peerError !== undefined && { peerError }),
      ...(checked !== undefined && { checked }),
    }
  })
}
