import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readTorchFile } from '../../src/formats/index.js'
import { dataFolder } from '../data.js'

/** Real files of old versions of PyTorch: shapes and SHA-256 of the tensors' bytes, as PyTorch 1.13 reads them. */
const files: Record<string, Record<string, string>> = {
  'torch-legacy/simple_tagger_best.th': {
    'text_field_embedder.token_embedder_tokens.weight': '[15, 100] 8652a7d2c3ba26f1',
    'text_field_embedder.token_embedder_tokens._projection.weight': '[2, 100] 19b2068d20308456',
    'text_field_embedder.token_embedder_tokens._projection.bias': '[2] 2a67261a6d2de50c',
    'encoder._module.weight_ih_l0': '[16, 2] 1a3de1b99f0aeb6f',
    'encoder._module.weight_hh_l0': '[16, 4] 992c8a866f484e6b',
    'encoder._module.bias_ih_l0': '[16] 7d39b2d93fd3a5c6',
    'encoder._module.bias_hh_l0': '[16] 54abc05837760b3c',
    'tag_projection_layer._module.weight': '[4, 4] d086fc62eb335efb',
    'tag_projection_layer._module.bias': '[4] 95f2a10690edbbe1',
  },
  'ntm-copy/copy-task-1-batch-40000.model': {
    'ntm.read0_bias': '[1, 20] 20558ce407929efe',
    'ntm.controller.lstm_h_bias': '[1, 1, 100] b2f9fda9a508bd4e',
    'ntm.controller.lstm_c_bias': '[1, 1, 100] 653c033d2b610ca0',
    'ntm.controller.lstm.weight_ih_l0': '[400, 29] 800216f979940f9c',
    'ntm.controller.lstm.weight_hh_l0': '[400, 100] cee9911efa82a90f',
    'ntm.controller.lstm.bias_ih_l0': '[400] 5910d1e598739288',
    'ntm.controller.lstm.bias_hh_l0': '[400] 5910d1e598739288',
    'ntm.memory.mem_bias': '[128, 20] 6e4157c8b54fa19a',
    'ntm.heads.0.memory.mem_bias': '[128, 20] 6e4157c8b54fa19a',
    'ntm.heads.0.fc_read.weight': '[26, 100] f38dece5e22b324f',
    'ntm.heads.0.fc_read.bias': '[26] f0f30613ac1a6b0b',
    'ntm.heads.1.memory.mem_bias': '[128, 20] 6e4157c8b54fa19a',
    'ntm.heads.1.fc_write.weight': '[66, 100] 216370553a0457ed',
    'ntm.heads.1.fc_write.bias': '[66] c1daa7d18f7a1b21',
    'ntm.fc.weight': '[8, 120] 436871fb8de887b8',
    'ntm.fc.bias': '[8] 4eada784b4f0fe8a',
    'memory.mem_bias': '[128, 20] 6e4157c8b54fa19a',
  },
  'ntm-copy/copy-task-11-batch-40000.model': {
    'ntm.read0_bias': '[1, 20] 253be83fa71c6c1b',
    'ntm.controller.lstm_h_bias': '[1, 1, 100] 06d932b9ae901837',
    'ntm.controller.lstm_c_bias': '[1, 1, 100] 4be3c3c4c559e2ee',
    'ntm.controller.lstm.weight_ih_l0': '[400, 29] c4721d5b4202ec5f',
    'ntm.controller.lstm.weight_hh_l0': '[400, 100] 58f7a51a159b1e03',
    'ntm.controller.lstm.bias_ih_l0': '[400] 7e9e7bd9ce805fc5',
    'ntm.controller.lstm.bias_hh_l0': '[400] 7e9e7bd9ce805fc5',
    'ntm.memory.mem_bias': '[128, 20] b0c41b205a92efb8',
    'ntm.heads.0.memory.mem_bias': '[128, 20] b0c41b205a92efb8',
    'ntm.heads.0.fc_read.weight': '[26, 100] eef07d22dcbfd472',
    'ntm.heads.0.fc_read.bias': '[26] ee67c071f8153e9c',
    'ntm.heads.1.memory.mem_bias': '[128, 20] b0c41b205a92efb8',
    'ntm.heads.1.fc_write.weight': '[66, 100] b4e694fe312aad39',
    'ntm.heads.1.fc_write.bias': '[66] 8f84a083c3bb4c5b',
    'ntm.fc.weight': '[8, 120] 73e93b93f08df970',
    'ntm.fc.bias': '[8] 253df875d928baad',
    'memory.mem_bias': '[128, 20] b0c41b205a92efb8',
  },
}

test.for(Object.keys(files))('%s', async (name, { skip }) => {
  const data = dataFolder()
  if (data === null) return skip('no data')
  const { format, tensors } = await readTorchFile(join(data, name))
  expect(format).toBe('legacy')
  const found = [...tensors].map(([tensor, { shape, data: values }]) => {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
    return [tensor, `[${shape.join(', ')}] ${hash}`]
  })
  expect(Object.fromEntries(found)).toEqual(files[name])
  // Tied tensors share their memory.
  const [tied, other] = [tensors.get('memory.mem_bias'), tensors.get('ntm.memory.mem_bias')]
  expect(tied).toBe(other)
})
