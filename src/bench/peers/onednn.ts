import { execFile } from 'node:child_process'
import { join as joinPath } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cases, inputsOf } from '../cases.js'
import { type Missing, type Pass, type Peer, passes, type Setting, type Turn } from '../context.js'
import { BenchProcess } from '../process.js'

const SOURCE = fileURLToPath(new URL('../../../bench/peers/onednn_lstm.cpp', import.meta.url))
const WHO = 'oneDNN LSTM, equal lengths'

/** Compiles the peer into a folder. */
export async function findOneDnn(folder: string): Promise<Peer | Missing> {
  const program = joinPath(folder, 'onednn_lstm')
  const run = promisify(execFile)
  try {
    await run('g++', ['-O2', '-std=c++17', SOURCE, '-ldnnl', '-o', program])
    const { stdout } = await run(program, ['version'])
    return { version: `oneDNN ${stdout.trim()}`, join: setting => join(program, setting) }
  } catch {
    return { missing: 'g++ does not build bench/peers/onednn_lstm.cpp: apt-get install g++ libdnnl-dev' }
  }
}

async function join(program: string, setting: Setting) {
  const spec = cases[setting.name]
  if (spec.cell !== 'lstm') return null
  const { threads, documents, tokens } = setting
  const steps = Math.max(1, Math.round(tokens / documents))
  const layers = Array.from({ length: spec.numLayers }, (_, l) => String(inputsOf(spec, l)))
  const shape = [steps, documents, spec.hiddenSize, spec.bidirectional ? 2 : 1].map(String)
  const env = { ...process.env, OMP_NUM_THREADS: String(threads), OMP_PROC_BIND: 'true' }
  const child = new BenchProcess('oneDNN', program, [...shape, ...layers], env)
  await child.answer()
  const turn = (pass: Pass): Turn => ({
    ...{ who: WHO, pass, question: pass },
    tokens: steps * documents,
  })
  return {
    process: child,
    alone: true,
    turns: passes.map(turn),
    notes: {
      [WHO]: `${documents} sequences of ${steps} rows each; no embedding, loss, clipping or optimiser; timed, not checked`,
    },
  }
}
