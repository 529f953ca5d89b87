import { fastaiLanguageModel, readTorchFile } from '../../src/formats/index.js'

/** `node pretrained.js FILE`: reads a language model of fast.ai; the last line has its sizes, seconds, and bytes of memory more. */

const [file = ''] = process.argv.slice(2)
const before = process.memoryUsage.rss()
const start = performance.now()
const { tensors } = await readTorchFile(file)
const { parameters, ...found } = fastaiLanguageModel(tensors, file)
const seconds = (performance.now() - start) / 1000
const peak = process.resourceUsage().maxRSS * 1024 - before
// Each tensor begins with −1, and has its own memory or the file's.
const sum = [...parameters]
  .filter(([name]) => name !== 'output.bias')
  .reduce((all, [, { data }]) => all + data[0]! + 1, 0)
process.stdout.write(`${JSON.stringify({ ...found, seconds, peak, sum })}\n`)
