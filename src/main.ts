#!/usr/bin/env node
// From argv to an exit code, and nothing else.
import { processTerminal } from './cli/processTerminal.ts'
import { runProgram } from './cli/program.ts'

process.exitCode = await runProgram(process.argv.slice(2), processTerminal())
