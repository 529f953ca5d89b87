import type { LoadedBatch } from './loader.js'
import { type EpochRecord, type Metrics, recordOf } from './record.js'
import type { StepFigures } from './stepper.js'
import type { EpochSums, TrainerPosition } from './trainerState.js'

/** A step that was issued but is not part of the position yet. */
export interface Pending {
  figures: Promise<StepFigures>
  tokens: number
  learningRate: number
}

function nothing(): EpochSums {
  return { totals: {}, skipped: 0, gradNorm: 0, largestGradNorm: 0, learningRate: 0 }
}

/** Returns the position before the first step. */
export function newPosition(): TrainerPosition {
  return {
    ...{ epoch: 0, step: 0, sums: nothing(), tokens: 0, seconds: 0, way: '', history: [] },
    epochStart: { tokens: 0, seconds: 0 },
  }
}

/** Adds a step to a position. */
export function countStep(
  position: TrainerPosition,
  { tokens, learningRate }: Pick<Pending, 'tokens' | 'learningRate'>,
  { sums: found, gradNorm, skipped }: StepFigures,
): void {
  const { sums } = position
  sums.learningRate = learningRate
  position.tokens += tokens
  position.step++
  if (skipped !== null) {
    sums.skipped++
    return
  }
  for (const [name, value] of Object.entries(found)) sums.totals[name] = (sums.totals[name] ?? 0) + value
  sums.gradNorm += gradNorm
  sums.largestGradNorm = Math.max(sums.largestGradNorm, gradNorm)
}

/** Records an epoch after its last step, and moves the position to the next one. */
export function recordEpoch(position: TrainerPosition, metrics: Metrics, test: Metrics | null): EpochRecord {
  const { sums, step, tokens, seconds, epochStart, history } = position
  const spent = seconds - epochStart.seconds
  const record = recordOf({
    epoch: position.epoch + 1,
    steps: (history.at(-1)?.steps ?? 0) + step,
    metrics,
    gradNorm: { mean: sums.gradNorm / (step - sums.skipped), largest: sums.largestGradNorm },
    learningRate: sums.learningRate,
    test,
    seconds: spent,
    tokensPerSecond: (tokens - epochStart.tokens) / spent,
  })
  history.push(record)
  Object.assign(position, { epoch: record.epoch, step: 0, sums: nothing(), epochStart: { tokens, seconds } })
  return record
}

/** Yields batches in groups of `size` with their tokens. The last group may be smaller. */
export function* groupsOf<Batch>(
  batches: Iterable<LoadedBatch<Batch>>,
  size: number,
): Iterable<{ batches: Batch[]; tokens: number }> {
  let group: { batches: Batch[]; tokens: number } = { batches: [], tokens: 0 }
  for (const { batch, tokens } of batches) {
    group.batches.push(batch)
    group.tokens += tokens
    if (group.batches.length < size) continue
    yield group
    group = { batches: [], tokens: 0 }
  }
  if (group.batches.length > 0) yield group
}
