import { writeWhole } from '../files/write.js'
import { isHdf5File } from '../formats/hdf5.js'
import { type HostTensor, readHdf5, readTorchFile, writeSafetensors } from '../formats/index.js'
import { choiceOption, fileOption, onePositional, parse, usageOf } from './options.js'
import { aligned } from './table.js'

const table = {
  to: choiceOption('what to write: safetensors; without, the content is only listed', ['safetensors']),
  out: fileOption('the file to write; default FILE with the ending .safetensors'),
} as const

export const usage = `packed-rnn convert FILE [--to safetensors] [--out FILE]

Lists the tensors and other values of a file of torch.save, of any version of PyTorch, or of an HDF5 file (with the
package h5wasm), and writes its tensors to another format. Nothing in the file is executed: models that were saved
whole, with their classes, are rejected. A tensor that has several names is written under the first.

${usageOf(table)}`

export async function execute(args: string[]): Promise<void> {
  const { values, positionals } = parse(args, table)
  const file = onePositional('a file', positionals)
  const { format, tensors, values: others } = await read(file)
  const distinct = withoutCopies(tensors)
  const rows = [...tensors].map(([name, tensor]) => {
    const first = distinct.get(tensor)!
    return [name, tensor.dtype, `[${tensor.shape.join(', ')}]`, first === name ? '' : `is ${first}`]
  })
  const numbers = [...distinct.keys()].reduce((sum, { data }) => sum + data.length, 0)
  const lines = [
    `${file}: ${format}, ${tensors.size} tensors, ${numbers} numbers, ${others.size} other values`,
    ...(rows.length === 0 ? [] : [aligned(rows)]),
    ...(others.size === 0 ? [] : [aligned([...others].map(([name, value]) => [name, String(value)]))]),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  if (values.to === undefined && values.out === undefined) return
  const out = values.out ?? `${file.replace(/\.(pt|pth|bin|h5|hdf5|pkl)$/, '')}.safetensors`
  await writeWhole(out, writeSafetensors([...distinct].map(([tensor, name]) => ({ ...tensor, name }))))
  process.stderr.write(`${out}: ${distinct.size} tensors\n`)
}

interface Content {
  format: string
  tensors: ReadonlyMap<string, HostTensor>
  values: ReadonlyMap<string, unknown>
}

/** A file of `torch.save`, or an HDF5 file. */
async function read(file: string): Promise<Content> {
  return (await isHdf5File(file)) ? { format: 'hdf5', ...(await readHdf5(file)) } : readTorchFile(file)
}

/** The first name of each tensor. */
function withoutCopies(tensors: ReadonlyMap<string, HostTensor>): Map<HostTensor, string> {
  const distinct = new Map<HostTensor, string>()
  for (const [name, tensor] of tensors) if (!distinct.has(tensor)) distinct.set(tensor, name)
  return distinct
}
