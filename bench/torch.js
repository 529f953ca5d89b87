import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PYTHON = '/usr/bin/python3'
const SCRIPT = fileURLToPath(new URL('./peers/torch_step.py', import.meta.url))

/** The fastest set-up that we found; bench/peers/torch_step.py says why. */
function environment(threads) {
  return {
    ...process.env,
    MALLOC_MMAP_MAX_: '0',
    MALLOC_TRIM_THRESHOLD_: '20000000000',
    MALLOC_TOP_PAD_: '268435456',
    ATEN_CPU_CAPABILITY: 'avx512',
    OMP_NUM_THREADS: String(threads),
    OMP_PROC_BIND: 'true',
    PYTHONDONTWRITEBYTECODE: '1',
  }
}

/** Starts a PyTorch process that steps when it is asked to; null where there is no PyTorch. */
export async function startTorch(config) {
  if (spawnSync(PYTHON, ['-c', 'import torch, numpy']).status !== 0) return null
  const child = spawn(PYTHON, [SCRIPT, JSON.stringify(config)], {
    env: environment(config.threads),
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const name = `PyTorch ${config.path}${config.pieces > 1 ? `, ${config.pieces} pieces` : ''}`
  const answer = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`${name}: wanted an answer, got the end of its output`)
    return JSON.parse(value)
  }
  const { loss } = await answer()
  // Its warm step was the first one: the comparison begins with that.
  let first = { seconds: Number.NaN, loss }
  return {
    name,
    async step() {
      if (first !== null) {
        const held = first
        first = null
        return held
      }
      child.stdin.write('step\n')
      return answer()
    },
    close() {
      child.stdin.end()
    },
  }
}
