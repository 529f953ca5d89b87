import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Device } from '../../device.js'
import { type Answer, BenchProcess } from '../process.js'
import type { TorchFinding } from './records.js'

const SCRIPT = fileURLToPath(new URL('../../../bench/peers/cuda_torch.py', import.meta.url))

/** Why there is no PyTorch for this kind of device; null where there is one. */
function reasonAgainst(python: string, kind: Device['kind']): string | null {
  const run = (code: string) => spawnSync(python, ['-c', code], { timeout: 60_000 }).status === 0
  if (spawnSync(python, ['--version']).error !== undefined) return `not installed: no ${python}`
  if (!run('import torch, numpy')) return 'not installed: no PyTorch'
  if (kind === 'cpu' || run('import sys, torch; sys.exit(not torch.cuda.is_available())')) return null
  return 'PyTorch is installed and sees no CUDA device'
}

/** PyTorch in a process of its own, asked one thing at a time. */
export class Torch {
  readonly #process: BenchProcess

  private constructor(process: BenchProcess) {
    this.#process = process
  }

  /** PYTHON names the Python that has it, default python3. */
  static async start({ kind, precision }: Device): Promise<{ torch: Torch | null; finding: TorchFinding }> {
    const python = process.env.PYTHON ?? 'python3'
    const missing = (reason: string) => ({
      torch: null,
      finding: { finding: 'torch', versions: null, reason } as const,
    })
    const reason = reasonAgainst(python, kind)
    if (reason !== null) return missing(reason)
    // On a CPU its threads spin: with a busy neighbour two of them take minutes.
    const env = kind === 'cpu' ? { ...process.env, OMP_NUM_THREADS: '1' } : process.env
    const config = JSON.stringify({ device: kind, precision })
    const started = new BenchProcess('PyTorch', python, [SCRIPT, config], env)
    try {
      const answer = await started.answer(120)
      const versions: Record<string, string> = {}
      for (const name of ['torch', 'cuda', 'cudnn', 'device']) {
        const version = answer.optional(name)
        if (typeof version === 'string' || typeof version === 'number') versions[name] = String(version)
      }
      return { torch: new Torch(started), finding: { finding: 'torch', versions, reason: null } }
    } catch (error) {
      await started.close()
      return missing(error instanceof Error ? error.message : String(error))
    }
  }

  /** @throws Error where it has no answer to give, in time. */
  ask(command: object, seconds?: number): Promise<Answer> {
    return this.#process.ask(JSON.stringify(command), seconds)
  }

  close(): Promise<void> {
    return this.#process.close()
  }
}
