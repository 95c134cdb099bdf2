// The page /docs.

import { offerCopies } from "./copy.js";

offerCopies(document);
