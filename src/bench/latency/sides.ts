/** The participants: processes that answer the requests of process.ts. */
import { fileURLToPath } from 'node:url'
import type { Missing } from '../context.js'
import { findPackage } from '../peers/onnxruntime.js'
import { environment, findTorch, PYTHON } from '../peers/torch.js'
import { BenchProcess } from '../process.js'

/** A process, and its ways of reading a token. */
export interface Side {
  process: BenchProcess
  ways: { who: string; way: string }[]
  /** Whether it can issue a token before the previous one is computed. If so, both modes are timed. */
  streams: boolean
  ours: boolean
}

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url))

export function ourSide(who: string, library: string, threads: number): Side {
  const config = JSON.stringify({ library, threads })
  return {
    process: new BenchProcess(who, process.execPath, [script('./ours.js'), config]),
    ways: [{ who, way: 'LSTM' }],
    ...{ streams: true, ours: true },
  }
}

export function torchSide(threads: number): Side | Missing {
  const found = findTorch()
  if ('missing' in found) return found
  const file = script('../../../bench/peers/torch_latency.py')
  const ways = ['LSTM', 'LSTMCell'].map(way => ({ who: `PyTorch ${way}`, way }))
  const args = [file, JSON.stringify({ threads })]
  const child = new BenchProcess('PyTorch', PYTHON, args, environment(threads))
  return { process: child, ways, streams: false, ours: false }
}

export async function onnxRuntimeSide(threads: number): Promise<Side | Missing> {
  const found = await findPackage()
  if ('missing' in found) return found
  const config = JSON.stringify({ library: found.file, threads })
  const child = new BenchProcess(found.version, process.execPath, [script('./onnxruntime.js'), config])
  return {
    process: child,
    ways: [{ who: 'onnxruntime-node', way: 'session' }],
    ...{ streams: false, ours: false },
  }
}
