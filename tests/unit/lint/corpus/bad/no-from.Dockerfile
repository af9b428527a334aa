# expect: SL012
RUN echo
CMD ["x"]
