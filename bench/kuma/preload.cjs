// Uptime Kuma starts its monitors 0.3 to 1 s apart: eleven minutes for a thousand. For a bench 20 ms must do.
const path = require("node:path");
const util = require(path.join(process.cwd(), "src/util"));
const random = util.getRandomInt;
util.getRandomInt = (least, most) => (least === 300 && most === 1000 ? 20 : random(least, most));
