/** PyTorch in a process of its own, asked one thing at a time. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { BenchProcess } from '../../dist/bench/process.js'

const PYTHON = process.env.PYTHON ?? 'python3'
const SCRIPT = fileURLToPath(new URL('../peers/cuda_torch.py', import.meta.url))

/** Why there is no PyTorch for this kind of device; null where there is one. */
function reasonAgainst(kind) {
  const { error } = spawnSync(PYTHON, ['--version'])
  if (error !== undefined) return `not installed: no ${PYTHON}`
  if (spawnSync(PYTHON, ['-c', 'import torch, numpy']).status !== 0) return 'not installed: no PyTorch'
  if (kind === 'cpu') return null
  const { status } = spawnSync(PYTHON, ['-c', 'import sys, torch; sys.exit(not torch.cuda.is_available())'])
  return status === 0 ? null : 'PyTorch is installed and sees no CUDA device'
}

/** @returns {Promise<{ peer: Peer, versions: object } | { reason: string }>} */
export async function startPeer({ kind, precision }) {
  const reason = reasonAgainst(kind)
  if (reason !== null) return { reason }
  const peer = new Peer({ device: kind, precision })
  try {
    return { peer, versions: await peer.versions() }
  } catch (error) {
    peer.close()
    return { reason: error.message }
  }
}

class Peer {
  #process

  constructor(config) {
    // On a CPU it is only tried, and its threads spin: with a busy neighbour two of them take minutes.
    const env = config.device === 'cpu' ? { ...process.env, OMP_NUM_THREADS: '1' } : process.env
    this.#process = new BenchProcess('PyTorch', PYTHON, [SCRIPT, JSON.stringify(config)], env)
  }

  /** What it begins with. */
  async versions() {
    return (await this.#process.answer(120)).value
  }

  /** @throws Error where it has none to give, in time. */
  async ask(command, seconds) {
    return (await this.#process.ask(JSON.stringify(command), seconds)).value
  }

  close() {
    return this.#process.close()
  }
}
