import { fileURLToPath } from 'node:url'
import type { Device } from '../../device.js'
import { type Answer, BenchProcess } from '../process.js'
import type { TorchFinding } from './records.js'

const SCRIPT = fileURLToPath(new URL('../../../bench/peers/cuda_torch.py', import.meta.url))

/** PyTorch in its own process, with one request at a time. It starts immediately and is ready some seconds later. */
export class Torch {
  readonly #process: BenchProcess

  /** The environment variable PYTHON is the Python to use; default python3. */
  constructor({ kind, precision }: Pick<Device, 'kind' | 'precision'>) {
    // On a CPU its threads spin: beside other load, two threads take minutes.
    const env = kind === 'cpu' ? { ...process.env, OMP_NUM_THREADS: '1' } : process.env
    const config = JSON.stringify({ device: kind, precision })
    this.#process = new BenchProcess('PyTorch', process.env.PYTHON ?? 'python3', [SCRIPT, config], env)
  }

  /** Resolves with its versions, or with the reason why it is missing. */
  async ready(seconds: number): Promise<TorchFinding> {
    try {
      const answer = await this.#process.answer(seconds)
      const versions: Record<string, string> = {}
      for (const name of ['torch', 'cuda', 'cudnn', 'device']) {
        const version = answer.optional(name)
        if (typeof version === 'string' || typeof version === 'number') versions[name] = String(version)
      }
      return { finding: 'torch', versions, reason: null }
    } catch (error) {
      return {
        finding: 'torch',
        versions: null,
        reason: error instanceof Error ? error.message : String(error),
      }
    }
  }

  /** @throws Error (rejects) if it does not answer in time, or answers with an error. */
  ask(command: object, seconds: number): Promise<Answer> {
    return this.#process.ask(JSON.stringify(command), seconds)
  }

  close(): Promise<void> {
    return this.#process.close()
  }
}
