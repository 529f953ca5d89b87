import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory, removeTemporaries } from '../files/write.js'
import type { Running } from './callbacks.js'
import { saveCheckpoint } from './checkpoint.js'
import { appendEpoch, RESULTS, writeEpochs } from './records.js'

/**
 * Writes the checkpoint and the metrics.jsonl of a run's directory. The checkpoint holds the records of all epochs and is written
 * first, so metrics.jsonl can be rewritten from it after a process was killed.
 */
export class RunLog {
  readonly #directory: string
  readonly #trainer: Running
  readonly #about: unknown
  /** The number of lines in metrics.jsonl. */
  #recorded = 0

  /** @param about the value that `saveCheckpoint` stores. */
  constructor(directory: string, trainer: Running, about: unknown) {
    this.#directory = directory
    this.#trainer = trainer
    this.#about = about
  }

  /** Writes both files for a new or restored trainer. Removes the results of an earlier run, which are no longer valid. */
  async begin(): Promise<void> {
    await makeDirectory(this.#directory)
    await removeTemporaries(this.#directory)
    await rm(join(this.#directory, RESULTS), { force: true })
    const { history } = this.#trainer
    this.#recorded = history.length
    await this.save()
    await writeEpochs(this.#directory, history)
  }

  /** Whether there is a completed epoch that is not recorded. */
  get due(): boolean {
    return this.#trainer.history.length > this.#recorded
  }

  /** Writes a checkpoint, and then the lines of the completed epochs. */
  async save(): Promise<void> {
    const { history } = this.#trainer
    const epochs = history.slice(this.#recorded)
    await saveCheckpoint(this.#directory, await this.#trainer.state(), this.#about)
    for (const epoch of epochs) await appendEpoch(this.#directory, epoch)
    this.#recorded += epochs.length
  }
}
