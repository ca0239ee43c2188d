// Philox4x32-10, the words of Philox.java bit for bit.
#pragma once

struct Counter {
  unsigned word[4];
};

__device__ __forceinline__ Counter philox(Counter c, unsigned long long key) {
  unsigned key0 = (unsigned)key;
  unsigned key1 = (unsigned)(key >> 32);
#pragma unroll
  for (int round = 0; round < 10; round++) {
    unsigned long long product0 = (unsigned long long)0xD2511F53u * c.word[0];
    unsigned long long product1 = (unsigned long long)0xCD9E8D57u * c.word[2];
    c = {{(unsigned)(product1 >> 32) ^ c.word[1] ^ key0, (unsigned)product1,
          (unsigned)(product0 >> 32) ^ c.word[3] ^ key1, (unsigned)product0}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return c;
}

__device__ __forceinline__ Counter philox(unsigned long long counter, unsigned long long key) {
  return philox(Counter{{(unsigned)counter, (unsigned)(counter >> 32), 0, 0}}, key);
}
