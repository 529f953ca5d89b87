import { existsSync } from 'node:fs'
import { loadCheckpoint } from '../training/checkpoint.js'
import type { TrainerState } from '../training/trainerState.js'
import { Failure } from './options.js'

/**
 * The state after the best epoch of a run, which `keepBest` wrote. It stays in the run's directory, because a resumed run may have no
 * better epoch.
 * @throws Failure if there is none, as in a run that began with `--keep last`; PackedRnnError as `loadCheckpoint`.
 */
export async function bestState(directory: string): Promise<TrainerState> {
  if (existsSync(directory)) return (await loadCheckpoint(directory)).state
  throw new Failure(
    `${directory}: wanted the checkpoint of the best epoch, got none; resume with --keep last`,
  )
}
