// The notebook's batching cell: sentences of different lengths, padded, packed, through an LSTM, and padded again.
//
//   node examples/packing.js
import {
  nn,
  packPaddedSequence,
  packSequence,
  padPackedSequence,
  scope,
  tensor,
  toTimeMajor,
} from 'packed-rnn'

const [B, T, I, H] = [3, 4, 5, 8]
const lengths = [4, 1, 2]
const lstm = new nn.LSTM({ inputSize: I, hiddenSize: H, bidirectional: true })

await scope(async () => {
  // What a data loader that pads makes: [B, T, I], with anything beyond a sentence's end.
  const padded = tensor(
    Array.from({ length: B * T * I }, (_, i) => Math.sin(i)),
    [B, T, I],
  )
  const packed = packPaddedSequence(padded, lengths, { batchFirst: true, enforceSorted: false })
  console.log('packed rows', packed.data.shape, 'offsets', [...packed.sequences.offsets])

  // PyTorch's layout of the same: first all first tokens, the longest sentence first.
  const { batchSizes, sortedIndices } = toTimeMajor(packed)
  console.log('time-major: batch sizes', [...batchSizes], 'order', [...sortedIndices])

  const states = lstm.forward(packed)
  const { output } = padPackedSequence(states.output, { batchFirst: true })
  console.log('padded output', output.shape)

  // The state after each sentence: the notebook takes the output at lengths - 1, where the reverse direction has seen
  // one token; lastHidden takes each direction's own last state.
  const notebook = await states.lastOutput().toArray()
  const last = await states.lastHidden().toArray()
  const same = Array.from({ length: 2 * H }, (_, k) => notebook[k] === last[k])
  console.log(
    'forward halves agree',
    same.slice(0, H).every(Boolean),
    'reverse halves',
    same.slice(H).some(Boolean),
  )

  // Nothing needs padding in the first place: a batch can be packed as it comes.
  const direct = packSequence(
    lengths.map((length, b) => Float32Array.from({ length: length * I }, (_, i) => Math.sin(b * T * I + i))),
    { inputSize: I },
  )
  const again = await lstm.forward(direct).lastHidden().toArray()
  console.log('packed without padding: the same', again.join() === last.join())
})
