// What the files of scenarios share. A file ends with `runNamed(scenarios)`: it runs the one that the command line
// names, with the arguments given there as JSON, and prints what it returned as one line of JSON.
"use strict";

function sleep(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

async function collect(iterable) {
    const all = [];
    for await (const element of iterable) all.push(element);
    return all;
}

function runNamed(scenarios) {
    const [name, argumentsText] = process.argv.slice(2);
    scenarios[name](JSON.parse(argumentsText)).then(
        (seen) => process.stdout.write(`\n${JSON.stringify(seen ?? null)}\n`),
        (error) => {
            console.error(error.stack ?? error, error.status ?? "", JSON.stringify(error.error ?? null));
            process.exitCode = 1;
        },
    );
}

module.exports = { sleep, collect, runNamed };
