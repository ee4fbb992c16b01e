// `mixscaler profile recipe`: the script that measures an engine of one's own.
import { recipeScript } from '../profiling/recipe.ts'
import { defineCommand } from './command.ts'
import { exitCodes } from './exit.ts'
import { countFlag } from './measurementFiles.ts'

export const profileRecipe = defineCommand({
  name: 'profile recipe',
  summary: 'print a script that measures an engine of your own in 20 minutes',
  usage: '--model NAME --gpu NAME [--tp N] [--url URL] [--max-num-seqs N]',
  description:
    'Prints a shell script around `vllm bench serve`: four request shapes (64/256, 1024/1024, 4096/64 and 256/1024\n' +
    'tokens), each alone, at 50 % and 85 % of its saturation rate, and saturated. Three shapes tell what prompts,\n' +
    'sequences and context cost apart; the fourth proves it. More runs add nothing below the noise of a session, 3 to\n' +
    '5 %. Run it where vllm is installed, against one replica that serves nobody else, then fit its results.',
  flags: {
    model: {
      type: 'string',
      placeholder: 'NAME',
      default: 'MODEL',
      text: 'the model as the engine serves it',
    },
    gpu: { type: 'string', placeholder: 'NAME', default: 'GPU', text: 'the GPU: h100, l40s, mi300x' },
    tp: { type: 'string', placeholder: 'N', default: '1', text: 'GPUs of the replica' },
    url: {
      type: 'string',
      placeholder: 'URL',
      default: 'http://localhost:8000',
      text: 'where the engine listens',
    },
    'max-num-seqs': { type: 'string', placeholder: 'N', default: '256', text: 'as the engine was started' },
  },
  examples: [
    {
      text: 'Measure, then fit',
      command:
        'mixscaler profile recipe --model acme/chat-13b --gpu l40s --tp 2 > measure.sh && bash measure.sh && mixscaler profile fit results/*.json',
    },
  ],
  run: async (values, terminal) => {
    const { model, gpu, url } = values
    const tp = countFlag('tp', values.tp)
    const maxNumSeqs = countFlag('max-num-seqs', values['max-num-seqs'])
    terminal.out(recipeScript({ model, gpu, tp, url, maxNumSeqs }))
    return exitCodes.good
  },
})
