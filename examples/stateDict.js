// A model that PyTorch saved, loaded by its parameters' names, and the same logits from it. In Python the file is written by
//
//   safetensors.torch.save_file(model.state_dict(), 'classifier.safetensors')
//
//   node examples/stateDict.js
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nn, noGrad, packIds, scope } from 'packed-rnn'
import { loadStateDict, readSafetensors, saveStateDict } from 'packed-rnn/formats'

// The class as it is in Python: parts have the names that they have there, and so their parameters too.
class Classifier extends nn.Module {
  embedding = new nn.Embedding({ numEmbeddings: 12, embeddingDim: 5 })
  lstm = new nn.LSTM({ inputSize: 5, hiddenSize: 4, numLayers: 2, bidirectional: true })
  classifier = new nn.Linear({ inFeatures: 8, outFeatures: 3 })

  forward(ids) {
    return this.classifier.forward(this.lstm.forward(this.embedding.forward(ids)).lastHidden())
  }
}

// Written by PyTorch, with the logits that it computed.
const file = fileURLToPath(new URL('../test/fixtures/classifier.safetensors', import.meta.url))
const known = JSON.parse(readFileSync(file.replace('.safetensors', '.json'), 'utf8'))

const { tensors } = readSafetensors(readFileSync(file), file)
for (const [name, { shape }] of tensors) console.log(name.padEnd(34), `[${shape.join(', ')}]`)

const model = new Classifier().eval()
await loadStateDict(model, file) // strict: a name too few or too many is an error, and so is another shape
const logits = await scope(() => noGrad(() => model.forward(packIds(known.documents)).toArray()))
const difference = Math.max(...known.logits.flat().map((logit, i) => Math.abs(logit - logits[i])))
console.log(`largest difference to PyTorch's logits: ${difference.toExponential(1)}`)
if (difference > 1e-6) process.exitCode = 1

// The way back: safetensors.torch.load_file reads what is written here, and load_state_dict takes it.
const folder = await mkdtemp(join(tmpdir(), 'packed-rnn-'))
await saveStateDict(model, join(folder, 'ours.safetensors'))
const ours = readSafetensors(readFileSync(join(folder, 'ours.safetensors')), 'ours.safetensors')
console.log(
  'written back under the same names:',
  [...ours.tensors.keys()].join() === [...tensors.keys()].join(),
)
await rm(folder, { recursive: true })
