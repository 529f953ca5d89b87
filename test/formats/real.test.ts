import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readTorchFile } from '../../src/formats/index.js'
import { dataFolder } from '../data.js'

/** Real files of old versions of PyTorch: Σ x and Σ x² of their tensors, as PyTorch 1.13 reads them. */
const files: Record<string, Record<string, [sum: number, squares: number]>> = {
  'torch-legacy/simple_tagger_best.th': {
    'text_field_embedder.token_embedder_tokens.weight': [-62.543355, 511.411119],
    'text_field_embedder.token_embedder_tokens._projection.weight': [0.138652, 0.716074],
    'text_field_embedder.token_embedder_tokens._projection.bias': [0.040342, 0.002756],
    'encoder._module.weight_ih_l0': [0.993002, 2.787024],
    'encoder._module.weight_hh_l0': [1.924041, 5.21525],
    'encoder._module.bias_ih_l0': [1.319082, 1.673135],
    'encoder._module.bias_hh_l0': [0.0644, 1.295351],
    'tag_projection_layer._module.weight': [-0.997704, 1.522453],
    'tag_projection_layer._module.bias': [0.221674, 0.363843],
  },
  'ntm-copy/copy-task-1-batch-40000.model': {
    'ntm.read0_bias': [0.031314, 0.003237],
    'ntm.controller.lstm_h_bias': [-0.990657, 2.343785],
    'ntm.controller.lstm_c_bias': [-2.390114, 3.471528],
    'ntm.controller.lstm.weight_ih_l0': [356.210353, 1640.789148],
    'ntm.controller.lstm.weight_hh_l0': [-427.273628, 3809.299854],
    'ntm.controller.lstm.bias_ih_l0': [31.652587, 11.175674],
    'ntm.controller.lstm.bias_hh_l0': [31.652587, 11.175674],
    'ntm.memory.mem_bias': [-1.417044, 5.807866],
    'ntm.heads.0.memory.mem_bias': [-1.417044, 5.807866],
    'ntm.heads.0.fc_read.weight': [3.863851, 127.528396],
    'ntm.heads.0.fc_read.bias': [-0.045817, 0.816569],
    'ntm.heads.1.memory.mem_bias': [-1.417044, 5.807866],
    'ntm.heads.1.fc_write.weight': [5.223445, 432.66691],
    'ntm.heads.1.fc_write.bias': [4.334406, 2.565745],
    'ntm.fc.weight': [35.069069, 2276.508944],
    'ntm.fc.bias': [0.734464, 0.163547],
    'memory.mem_bias': [-1.417044, 5.807866],
  },
}

test.for(Object.keys(files))('%s', async (name, { skip }) => {
  const data = dataFolder()
  if (data === null) return skip('no data')
  const { format, tensors } = await readTorchFile(join(data, name))
  expect(format).toBe('legacy')
  expect([...tensors.keys()].sort()).toEqual(Object.keys(files[name]!).sort())
  for (const [tensor, [sum, squares]] of Object.entries(files[name]!)) {
    const values = Float64Array.from(tensors.get(tensor)!.data)
    expect(
      values.reduce((all, x) => all + x, 0),
      tensor,
    ).toBeCloseTo(sum, 5)
    expect(
      values.reduce((all, x) => all + x * x, 0),
      tensor,
    ).toBeCloseTo(squares, 5)
  }
  // Tied tensors share their memory.
  const [tied, other] = [tensors.get('memory.mem_bias'), tensors.get('ntm.memory.mem_bias')]
  expect(tied).toBe(other)
})
