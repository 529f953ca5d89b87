// Runs a program, and ends it when the process that started this one has ended:
// node bench/gpu/watched.js SECONDS PROGRAM [ARGUMENT …]
import { runChild } from '../../dist/bench/device/child.js'

const [seconds, ...command] = process.argv.slice(2)
const { code, error } = await runChild(command, { seconds: Number(seconds) })
if (error !== null) process.stderr.write(`${error}\n`)
process.exitCode = code ?? 1
