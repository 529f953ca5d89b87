// A user's first program: a training step with the imported package. scripts/test-package.js copies this into the empty
// project.
import { crossEntropy, nn, optim, packSequence, scope } from 'packed-rnn'

const embedding = new nn.Embedding({ numEmbeddings: 100, embeddingDim: 16 })
const lstm = new nn.LSTM({ inputSize: 16, hiddenSize: 32, bidirectional: true })
const linear = new nn.Linear({ inFeatures: 64, outFeatures: 2 })
const parameters = [embedding, lstm, linear].flatMap(module => module.parameters())
const adam = new optim.Adam(parameters, { lr: 0.01 })
const ids = packSequence([[5, 7, 1], [2], [], [9, 9, 4, 8]])

const losses = []
for (let step = 0; step < 10; step++) {
  losses.push(
    await scope(() => {
      const loss = crossEntropy(
        linear.forward(lstm.forward(embedding.forward(ids)).lastHidden()),
        [0, 1, 1, 0],
      )
      loss.backward()
      adam.step()
      adam.zeroGrad()
      return loss.item()
    }),
  )
  if (step === 0) console.log('first step', Date.now())
}
if (!(losses.at(-1) < 0.7 * losses[0])) throw new Error(`wanted losses that fall, got ${losses.join(', ')}`)
console.log('instructions', lstm.parameters()[0].device.instructions)
