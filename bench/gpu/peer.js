/** PyTorch in a process of its own, asked one thing at a time. */
import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

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
    return { peer, versions: await peer.answer(120) }
  } catch (error) {
    peer.close()
    return { reason: error.message }
  }
}

class Peer {
  #child
  #lines

  constructor(config) {
    // On a CPU it is only tried, and its threads spin: with a busy neighbour two of them take minutes.
    const env = config.device === 'cpu' ? { ...process.env, OMP_NUM_THREADS: '1' } : process.env
    const stdio = ['pipe', 'pipe', 'inherit']
    this.#child = spawn(PYTHON, [SCRIPT, JSON.stringify(config)], { env, stdio })
    // A process that died is told by its answer.
    this.#child.stdin.on('error', () => {})
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** @throws Error where it has none to give, in time. */
  ask(command, seconds = 600) {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`)
    return this.answer(seconds)
  }

  async answer(seconds) {
    let timer
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => {
        this.#child.kill('SIGKILL')
        reject(new Error(`PyTorch: no answer in ${seconds} seconds`))
      }, seconds * 1000)
    })
    try {
      const { value, done } = await Promise.race([late, this.#lines.next()])
      if (done) throw new Error('PyTorch: its process ended')
      const answer = JSON.parse(value)
      if (answer.error !== undefined) throw new Error(`PyTorch: ${answer.error}`)
      return answer
    } finally {
      clearTimeout(timer)
    }
  }

  close() {
    this.#child.stdin.end()
  }
}
