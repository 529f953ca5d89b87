import { median } from '../../median.js'
import type { EpochFinding, Finding, PointFinding } from './records.js'

/** Summaries of findings for the tables and curves of all output formats. */

export function pick<K extends Finding['finding']>(
  findings: readonly Finding[],
  kind: K,
): Extract<Finding, { finding: K }>[] {
  return findings.filter((each): each is Extract<Finding, { finding: K }> => each.finding === kind)
}

/** A participant's figures of an epoch. */
export interface EpochSummary {
  workload: string
  who: string
  /** The median of whole epochs; null if no epoch was complete. */
  seconds: number | null
  epochs: number
  /** The steps that there was time for otherwise. */
  part: { steps: number; of: number; tokens: number; seconds: number } | null
  javascript: number | null
  otherFunction: boolean
  reason: string | null
}

export function epochSummaries(findings: readonly Finding[]): EpochSummary[] {
  const groups = new Map<string, EpochFinding[]>()
  for (const finding of pick(findings, 'epoch')) {
    const key = `${finding.workload} ${finding.who}`
    groups.set(key, [...(groups.get(key) ?? []), finding])
  }
  return [...groups.values()].map(all => {
    const { workload, who, otherFunction } = all[0]!
    const timed = all.filter(({ seconds }) => seconds !== null)
    const whole = timed.filter(({ steps, of }) => steps === of)
    const longest = timed.toSorted((a, b) => b.steps - a.steps)[0]
    const shares = timed.flatMap(({ javascript }) => javascript ?? [])
    return {
      ...{ workload, who, otherFunction, epochs: whole.length },
      seconds: whole.length > 0 ? median(whole.map(({ seconds }) => seconds!)) : null,
      part:
        whole.length > 0 || longest === undefined
          ? null
          : {
              steps: longest.steps,
              of: longest.of,
              tokens: longest.tokens,
              seconds: longest.seconds!,
            },
      javascript: shares.length > 0 ? median(shares) : null,
      reason: timed.length > 0 ? null : (all.find(({ reason }) => reason !== null)?.reason ?? null),
    }
  })
}

/** A row per shape, a column per timed participant, and the untimed points by reason. */
export function pointTable(findings: readonly Finding[]) {
  const points = pick(findings, 'point')
  const timed = points.filter(({ forward }) => forward !== null)
  const names = [...new Set(timed.map(({ who }) => who))]
  const shapes = new Map<string, PointFinding[]>()
  for (const point of timed) {
    const key = `${point.H} ${point.B} ${point.T}`
    shapes.set(key, [...(shapes.get(key) ?? []), point])
  }
  const reasons = new Map<string, string[]>()
  for (const { reason, who, H, B, T } of points) {
    if (reason === null) continue
    const key = `${who}: ${reason}`
    reasons.set(key, [...(reasons.get(key) ?? []), `${H}·${B}·${T}`])
  }
  return { names, shapes: [...shapes.values()], reasons }
}

/** The errors, a line each. Failures of PyTorch and missing time are not errors. */
export function faults(findings: readonly Finding[]): string[] {
  return findings.flatMap(each => {
    switch (each.finding) {
      case 'device':
        return each.reason === null ? [] : [`the device does not open: ${each.reason}`]
      case 'part':
        return each.state === 'failed' ? [`${each.part}: ${each.reason}`] : []
      case 'check':
        return each.reason === null ? [] : [`${each.what}, against ${each.against}: ${each.reason}`]
      case 'epoch':
        return each.reason?.startsWith('failed') && each.who.startsWith('packed-rnn')
          ? [`${each.workload}: ${each.who}: ${each.reason}`]
          : []
      case 'test':
        return [`${each.name}: ${each.reason.split('\n', 1)[0]}`]
      case 'tool':
        return each.wrong ? [`${each.tool}: ${each.summary}`] : []
      default:
        return []
    }
  })
}

/** A finding as a line of the log; null if it is not logged. */
export function inShort(finding: Finding): string | null {
  switch (finding.finding) {
    case 'device':
      return finding.reason ?? `${finding.name}, ${finding.instructions}`
    case 'torch':
      return `PyTorch: ${finding.reason ?? finding.versions?.torch}`
    case 'check':
      return finding.reason === null ? null : `${finding.what}: ${finding.reason}`
    case 'point': {
      const { H, B, T, who, forward, backward, reason } = finding
      const text = reason ?? `${figure(forward!)} + ${figure(backward!)} µs`
      return `H ${H}, B ${B}, T ${T}: ${who}: ${text}`
    }
    case 'epoch': {
      const { workload, who, steps, of, seconds, reason } = finding
      const text =
        reason ?? `${steps === of ? 'an epoch' : `${steps} of ${of} steps`} in ${figure(seconds!)} s`
      return `${workload}: ${who}: ${text}`
    }
    case 'suite':
      return `shard ${finding.shard}: ${finding.passed} passed, ${finding.notRun} not run`
    case 'test':
      return `failed: ${finding.name}`
    case 'tool':
      return `${finding.tool}: ${finding.summary}`
    default:
      return null
  }
}

/** The part of an epoch that ran. */
export function whatRan({ reason, part, epochs }: EpochSummary): string {
  if (reason !== null) return reason
  if (part === null) return `median of ${epochs}`
  const { steps, of, tokens, seconds } = part
  return `${steps} of ${of} steps, ${tokens} tokens, in ${figure(seconds)} s`
}

/** Formats a number with three significant digits. */
export function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`
}

export const STEP_TEXT = `Microseconds of a layer-step, forward + backward, by the device's own clock: one LSTM layer, one direction, H inputs and H units,
B sequences of T rows; the time of the whole layer (input projection, recurrence, all gradients) divided by T. Medians of interleaved rounds. Results
were checked before timing.`

export const EPOCH_TEXT = `Seconds of an epoch, the median of whole ones: batches of 256, optimiser and clipping as in the presets, no dropout. A: LSTM 300→64, frozen vectors; B: 300→128,
two layers, two directions, tuned vectors; C: 300→64, four layers, two directions, tuned vectors. Our times include packing the batches; PyTorch's batches are padded
and copied to the device before timing. Bucketed: batches of documents of similar length; no peer has these. The first losses were compared before timing. ¹ computes a different function: the second direction begins in the padding.`
