/** The participants: processes that answer the requests of ours.ts. */
import { fileURLToPath } from 'node:url'
import type { Missing } from '../../context.js'
import { environment, findTorch, PYTHON } from '../../peers/torch.js'
import { BenchProcess } from '../../process.js'
import { described } from './numbers.js'

export interface OpsSide {
  process: BenchProcess
  who: string
  /** Whether it is this package and not a peer. */
  ours: boolean
}

export function ourOps(who: string, library: string, threads: number): OpsSide {
  const file = fileURLToPath(new URL('./ours.js', import.meta.url))
  const process = new BenchProcess(who, globalThis.process.execPath, [
    file,
    JSON.stringify({ library, threads }),
  ])
  return { process, who, ours: true }
}

export function torchOps(threads: number): OpsSide | Missing {
  const found = findTorch()
  if ('missing' in found) return found
  const file = fileURLToPath(new URL('../../../../bench/peers/torch_ops.py', import.meta.url))
  const config = JSON.stringify({ threads, ops: described })
  const process = new BenchProcess('PyTorch', PYTHON, [file, config], environment(threads))
  return { process, who: 'PyTorch', ours: false }
}
