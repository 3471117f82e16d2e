/* Runs TestU01's SmallCrush on words from standard input.

     cc -O2 small_crush.c -o small_crush -ltestu01 -ltestu01probdist \
       -ltestu01mylib -lm
     python -m experiments.random_words --seed=0 | ./small_crush
     python -m experiments.random_words --seed=0 | ./small_crush reversed

   The library is Debian's libtestu01-0-dev. Its tests look at the high bits of
   a word most; `reversed` turns each word around. The last line is JSON. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "bbattery.h"
#include "unif01.h"

static int is_reversed;
static unsigned long long num_words;

static unsigned int next_word(void) {
  uint32_t word, turned = 0;
  if (fread(&word, sizeof word, 1, stdin) != 1) {
    fprintf(stderr, "error: standard input ended.\n");
    exit(1);
  }
  ++num_words;
  if (!is_reversed) return word;
  for (int bit = 0; bit < 32; ++bit) turned |= (word >> bit & 1) << (31 - bit);
  return turned;
}

int main(int num_arguments, char **arguments) {
  (void)arguments;
  is_reversed = num_arguments > 1;
  unif01_Gen *words = unif01_CreateExternGenBits("random_words", next_word);
  bbattery_SmallCrush(words);
  unif01_DeleteExternGenBits(words);
  printf("{\"reversed\": %s, \"num_words\": %llu, \"p_values\": [",
         is_reversed ? "true" : "false", num_words);
  for (int test = 0; test < bbattery_NTests; ++test) {
    printf("%s%.4g", test ? ", " : "", bbattery_pVal[test]);
  }
  printf("]}\n");
  return 0;
}
