// A language model of characters by hand: an embedding, an LSTM and a linear layer learn which character comes next in a short
// text, and then draw one after the other.
//
//   npx tsc -p examples && node build/examples/character-model.js
import * as rnn from 'packed-rnn'

const { nn, optim, scope } = rnn
const text = `the cat sat on the mat and looked at the rat. the rat sat on the hat and looked at the cat. \
the cat ate the rat, and the rat was not there any more. then the cat slept on the mat and the hat. `
const characters = [...new Set(text)].sort()
const ids = Int32Array.from(text, character => characters.indexOf(character))

rnn.manualSeed(1)
class CharacterModel extends nn.Module {
  embedding = new nn.Embedding({ numEmbeddings: characters.length, embeddingDim: 16 })
  lstm = new nn.LSTM({ inputSize: 16, hiddenSize: 64 })
  linear = new nn.Linear({ inFeatures: 64, outFeatures: characters.length })

  /** The next character's logits [N, C] after each of N characters, and the state after the last one. */
  forward(sequences: Int32Array[], before: rnn.nn.LstmState | null = null) {
    const rows = this.embedding.forward(rnn.packIds(sequences))
    const { output, state } = this.lstm.forward(rows, before)
    return { logits: this.linear.forward(output.data), state }
  }
}
const model = new CharacterModel()
const adam = new optim.Adam(model.parameters(), { lr: 0.01 })

// A batch is sixteen pieces of the text; where they begin is drawn.
const [B, T] = [16, 32]
const generator = new rnn.Generator(1)
for (let step = 0; step <= 200; step++) {
  const starts = Array.from({ length: B }, () => generator.below(ids.length - T))
  const read = starts.map(start => ids.subarray(start, start + T))
  const next = starts.flatMap(start => [...ids.subarray(start + 1, start + 1 + T)])
  const loss = await scope(async () => {
    const mean = rnn.crossEntropy(model.forward(read).logits, next)
    mean.backward()
    optim.clipGradNorm(model.parameters(), 1)
    adam.step()
    adam.zeroGrad()
    return mean.item()
  })
  if (step % 50 === 0) console.log(`step ${step}  loss ${loss.toFixed(4)}`)
}

const drawn = [characters.indexOf('t')]
let state: rnn.nn.LstmState | null = null
await rnn.noGrad(async () => {
  while (drawn.length < 80) {
    const after: ReturnType<CharacterModel['forward']> = model.forward([Int32Array.of(drawn.at(-1)!)], state)
    const [id] = await rnn.multinomial(rnn.softmax(after.logits), 1).toArray()
    drawn.push(id!)
    state = after.state
  }
})
console.log(`sample: ${drawn.map(id => characters[id]).join('')}`)
